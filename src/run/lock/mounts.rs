//! Whom the kernel's lock on a file excludes: everyone, this machine's processes, or nobody.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// Whose processes a kernel's lock on a file excludes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Those of all machines that have mounted the file system.
    Cluster,
    /// Those of this machine.
    Machine,
    /// Perhaps nobody's.
    #[default]
    Nobody,
}

/// File systems of one kernel.
const LOCAL: [&str; 12] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "f2fs", "zfs", "bcachefs", "jfs",
    "ramfs",
];

impl Reach {
    /// That of locks in `folder`, as far as the kernel says how it is mounted.
    pub fn of(folder: &Path) -> Self {
        let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self::by_mounts(&mounts, &path)
    }

    /// The last of the longest mount points above `path` is the one that is seen there.
    fn by_mounts(mounts: &str, path: &Path) -> Self {
        let mut best: Option<(usize, Self)> = None;
        for line in mounts.lines() {
            let Some((head, tail)) = line.split_once(" - ") else { continue };
            let Some(point) = head.split(' ').nth(4).map(unescaped) else { continue };
            let depth = Path::new(&point).components().count();
            if path.starts_with(&point) && best.is_none_or(|(deepest, _)| depth >= deepest) {
                let mut words = tail.split(' ');
                let (kind, options) = (words.next(), words.nth(1));
                best = Some((depth, Self::by_kind(kind.unwrap_or(""), options.unwrap_or(""))));
            }
        }
        best.map_or(Self::Nobody, |(_, reach)| reach)
    }

    fn by_kind(kind: &str, options: &str) -> Self {
        let has = |wanted: &[&str]| options.split(',').any(|option| wanted.contains(&option));
        match kind {
            _ if LOCAL.contains(&kind) => Self::Machine,
            "nfs" | "nfs4" => {
                let alone = has(&["nolock", "local_lock=flock", "local_lock=all"]);
                if alone { Self::Nobody } else { Self::Cluster }
            }
            // Without that option locks are refused, and with `localflock` every node has its own.
            "lustre" => {
                if has(&["flock"]) {
                    Self::Cluster
                } else {
                    Self::Nobody
                }
            }
            "ceph" | "gfs2" | "ocfs2" => Self::Cluster,
            _ => Self::Nobody,
        }
    }
}

/// A mount point as it is: spaces and the like stand there as `\040`.
fn unescaped(point: &str) -> String {
    let (mut out, mut rest) = (String::new(), point);
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(code) => {
                out.push(char::from(code));
                rest = &after[3..];
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_that_is_seen_decides_and_its_options_with_it() {
        let mounts = "\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 0:40 / /home rw shared:2 - nfs4 server:/home rw,vers=4.2,local_lock=none
31 21 0:41 / /old rw shared:2 - nfs server:/old rw,vers=3,nolock
32 21 0:42 / /scratch rw - lustre mds@tcp:/s rw,flock,lazystatfs
33 21 0:43 / /work rw - lustre mds@tcp:/w rw,localflock
34 21 0:44 / /a\\040b rw - beegfs beegfs_nodev rw
35 30 0:45 / /home/me/fast rw - tmpfs tmpfs rw
";
        let reach = |path: &str| Reach::by_mounts(mounts, Path::new(path));
        for (path, wanted) in [
            ("/var/run", Reach::Machine),
            ("/home/me", Reach::Cluster),
            ("/home/me/fast/run", Reach::Machine),
            ("/homes", Reach::Machine),
            ("/old/run", Reach::Nobody),
            ("/scratch/run", Reach::Cluster),
            ("/work/run", Reach::Nobody),
            ("/a b/run", Reach::Nobody),
        ] {
            assert_eq!(reach(path), wanted, "{path}");
        }
        assert_eq!(Reach::by_mounts("", Path::new("/")), Reach::Nobody);
    }
}
