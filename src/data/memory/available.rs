//! How much main memory there is.

use std::path::Path;

/// What is taken where the system does not say.
const UNKNOWN: u64 = 4 << 30;

/// Bytes of main memory that this process may still take: what is free on the machine, and what the control groups of the
/// process leave, as batch systems and containers set them. 4 GiB where the system does not say.
pub fn available() -> u64 {
    let free = meminfo("MemAvailable:").unwrap_or(UNKNOWN);
    groups().iter().filter_map(Group::left).fold(free, u64::min)
}

/// Bytes of main memory that this process may ever have; `None` where the system does not say.
pub fn installed() -> Option<u64> {
    let all = meminfo("MemTotal:")?;
    Some(groups().iter().filter_map(Group::most).fold(all, u64::min))
}

fn meminfo(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    kib(text.lines().find_map(|line| line.strip_prefix(name))?)
}

fn kib(value: &str) -> Option<u64> {
    Some(value.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// A control group that bounds memory.
#[derive(Debug, PartialEq)]
struct Group {
    folder: String,
    /// Whether it is of the second version.
    second: bool,
}

/// The control groups of this process and those that hold them.
fn groups() -> Vec<Group> {
    of_list(&std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default())
}

/// Those of a list as `/proc/self/cgroup` has it: `number:controllers:/path` a line, `0::/path` of the second version.
fn of_list(list: &str) -> Vec<Group> {
    let mut groups = Vec::new();
    for line in list.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let second = number == "0" && controllers.is_empty();
        if !second && !controllers.split(',').any(|name| name == "memory") {
            continue;
        }
        let root = if second { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/memory" };
        let above = Path::new(path).ancestors();
        groups.extend(above.map(|path| {
            let inside = path.to_string_lossy();
            Group { folder: format!("{root}{}", inside.trim_end_matches('/')), second }
        }));
    }
    groups
}

impl Group {
    fn number(&self, names: (&str, &str)) -> Option<u64> {
        let name = if self.second { names.1 } else { names.0 };
        std::fs::read_to_string(Path::new(&self.folder).join(name)).ok()?.trim().parse().ok()
    }

    /// The bound; `max` and the first version's number near 2⁶³ mean none.
    fn most(&self) -> Option<u64> {
        self.number(("memory.limit_in_bytes", "memory.max")).filter(|&most| most < 1 << 62)
    }

    /// What the bound leaves: cached pages of files that nobody uses give way.
    fn left(&self) -> Option<u64> {
        let used = self.number(("memory.usage_in_bytes", "memory.current"))?;
        let stat = Path::new(&self.folder).join("memory.stat");
        let stat = std::fs::read_to_string(stat).unwrap_or_default();
        let name = if self.second { "inactive_file " } else { "total_inactive_file " };
        let cached = stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        Some(self.most()?.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_found_with_those_that_hold_them() {
        let folders = |list: &str| -> Vec<String> {
            of_list(list).into_iter().map(|group| group.folder).collect()
        };
        assert_eq!(
            folders("0::/system.slice/job_7\n"),
            ["/sys/fs/cgroup/system.slice/job_7", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup"]
        );
        let first = "5:devices:/\n4:cpu,memory:/slurm/uid_1\n3:cpuset:/\n0::/\n";
        assert_eq!(
            folders(first),
            [
                "/sys/fs/cgroup/memory/slurm/uid_1",
                "/sys/fs/cgroup/memory/slurm",
                "/sys/fs/cgroup/memory",
                "/sys/fs/cgroup"
            ]
        );
        assert!(of_list("what is this").is_empty());
    }

    #[test]
    fn a_bound_and_what_it_leaves_are_read_from_the_files_of_a_group() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let group = |second| Group { folder: folder.path().display().to_string(), second };
        write("memory.max", "1000000\n");
        write("memory.current", "700000\n");
        write("memory.stat", "anon 400000\ninactive_file 250000\nactive_file 1\n");
        assert_eq!((group(true).most(), group(true).left()), (Some(1_000_000), Some(550_000)));
        write("memory.max", "max\n");
        assert_eq!((group(true).most(), group(true).left()), (None, None));
        write("memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(group(false).most(), None);
        write("memory.limit_in_bytes", "5000");
        write("memory.usage_in_bytes", "4000");
        assert_eq!(group(false).left(), Some(1000));
    }

    #[test]
    fn there_is_memory_and_not_more_than_is_installed() {
        assert!(available() > 0);
        assert!(
            installed().is_none_or(|installed| installed >= available() || available() == UNKNOWN)
        );
    }
}
