//! What the cache holds that can be opened without a connection.

use std::path::Path;

use super::{Hub, HubId, HubKind};

/// Models of the cache, each as it would be written.
pub(super) fn cached(hub: &Hub) -> Vec<HubId> {
    let mut found = Vec::new();
    for folder in names(&hub.cache) {
        let Some(repository) = folder.strip_prefix("models--") else { continue };
        let repository = repository.replacen("--", "/", 1);
        let place = hub.cache.join(&folder);
        let mut revisions = Vec::new();
        walk(&place.join("refs"), "", &mut revisions);
        // A commit without a name is one's own only where no name leads to it.
        let named: Vec<String> = revisions
            .iter()
            .filter_map(|name| std::fs::read_to_string(place.join("refs").join(name)).ok())
            .map(|commit| commit.trim().to_owned())
            .collect();
        let commits = names(&place.join("snapshots"));
        revisions.extend(commits.into_iter().filter(|commit| !named.contains(commit)));
        for revision in revisions {
            let (kind, repository) = (HubKind::Model, repository.clone());
            let id = HubId { kind, repository, revision, file: None };
            let Some(snapshot) = hub.snapshot(&id) else { continue };
            if hub.find(&id).is_ok() {
                found.push(id.clone());
            }
            let mut files = Vec::new();
            walk(&snapshot, "", &mut files);
            // A link whose blob is gone is no file.
            let whole = |name: &String| name.ends_with(".gguf") && snapshot.join(name).exists();
            let gguf = files.into_iter().filter(whole);
            found.extend(gguf.map(|file| HubId { file: Some(file), ..id.clone() }));
        }
    }
    found.sort_by_key(ToString::to_string);
    found
}

/// The names in a folder, in alphabetical order.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Every file below a folder, by its path from there.
fn walk(folder: &Path, before: &str, found: &mut Vec<String>) {
    for name in names(folder) {
        let path = folder.join(&name);
        let shown = format!("{before}{name}");
        // Links lead to blobs, which are files.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, &format!("{shown}/"), found);
        } else {
            found.push(shown);
        }
    }
}
