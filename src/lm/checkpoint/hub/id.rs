//! What a repository of the hub, or a file of it, is called.

/// What a repository holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HubKind {
    /// A model.
    #[default]
    Model,
    /// A data set.
    Dataset,
}

impl HubKind {
    /// As it stands in the hub's addresses and in the names of the cache's folders.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }
}

/// A repository of the hub, at a revision, perhaps one file of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubId {
    /// What it holds.
    pub kind: HubKind,
    /// `org/name`; old models have no organisation.
    pub repository: String,
    /// A branch, tag, commit or `refs/pr/1`.
    pub revision: String,
    /// A file inside it; of a model a `.gguf` file.
    pub file: Option<String>,
}

/// How a file of the hub is written.
pub(super) const FILE_FORM: &str =
    "hf:org/name[@revision]/path/to/file (of a data set; hf:models/org/name/… of a model)";

impl HubId {
    /// Reads a model: `[hf:][org/]name[@revision][/file.gguf]`.
    ///
    /// A revision may hold slashes, as `refs/pr/1` does; where a file follows and the revision begins with
    /// something else than `refs/`, they are written `%2F`.
    pub fn parse(text: &str) -> Option<Self> {
        let bare = without_scheme(text);
        let text = bare.map_or(text, |text| text.strip_prefix("models/").unwrap_or(text));
        let (repository, rest) = match text.split_once('@') {
            Some((repository, rest)) => (repository, Some(rest)),
            None => (text, None),
        };
        let gguf = |file: &str| {
            file.ends_with(".gguf") && file.split('/').all(|part| is_word(part) && part.len() <= 96)
        };
        let (repository, revision, file) = match rest {
            None => {
                let (repository, file) = split_after(repository, 2);
                (repository, "main", file)
            }
            Some(rest) => match split_revision(rest) {
                (revision, Some(file)) if gguf(file) => (repository, revision, Some(file)),
                // What is no file belongs to the name of a branch.
                _ => (repository, rest, None),
            },
        };
        let fits = is_repository(repository) && file.is_none_or(gguf);
        let revision = Some(plain_revision(revision)).filter(|text| is_revision(text) && fits)?;
        let (kind, file) = (HubKind::Model, file.map(str::to_owned));
        Some(Self { kind, repository: repository.into(), revision, file })
    }

    /// Reads a file, `hf:[datasets/|models/]org/name[@revision]/path/to/file`; what may stand for a field
    /// behind a last colon is given as it is.
    pub fn parse_file(text: &str) -> Option<(Self, Option<&str>)> {
        let bare = without_scheme(text)?;
        let (kind, bare) = match (bare.strip_prefix("models/"), bare.strip_prefix("datasets/")) {
            (Some(bare), _) => (HubKind::Model, bare),
            (None, Some(bare)) => (HubKind::Dataset, bare),
            (None, None) => (HubKind::Dataset, bare),
        };
        let (path, field) = match bare.rsplit_once(':') {
            Some((path, field)) if !field.contains('/') && !field.is_empty() => (path, Some(field)),
            _ => (bare, None),
        };
        let (repository, revision, file) = match path.split_once('@') {
            // An `@` further behind is of the file's own name.
            Some((repository, rest)) if repository.matches('/').count() == 1 => {
                let (revision, file) = split_revision(rest);
                (repository, revision, file?)
            }
            _ => {
                let (repository, file) = split_after(path, 2);
                (repository, "main", file?)
            }
        };
        let inside = |part: &str| {
            let odd = |c: char| c.is_control() || matches!(c, '\\' | ':');
            !part.is_empty() && !part.starts_with('.') && !part.contains(odd)
        };
        let fits =
            is_repository(repository) && repository.contains('/') && file.split('/').all(inside);
        let revision = Some(plain_revision(revision)).filter(|text| is_revision(text) && fits)?;
        let id = Self { kind, repository: repository.into(), revision, file: Some(file.into()) };
        Some((id, field))
    }

    /// Its page, below the hub's address.
    pub(super) fn page(&self) -> String {
        match self.kind {
            HubKind::Model => self.repository.clone(),
            HubKind::Dataset => format!("datasets/{}", self.repository),
        }
    }

    /// The name of its folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("{}--{}", self.kind.plural(), self.repository.replace('/', "--"))
    }
}

/// What stands behind `hf:` or `hf://`.
pub(super) fn without_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("hf://").or_else(|| text.strip_prefix("hf:"))
}

/// The first `n` parts between slashes, and the others.
fn split_after(text: &str, n: usize) -> (&str, Option<&str>) {
    match text.match_indices('/').nth(n - 1) {
        Some((at, _)) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Revision and file of what stands behind an `@`: the hub's own references have three parts.
fn split_revision(text: &str) -> (&str, Option<&str>) {
    split_after(text, if text.starts_with("refs/") { 3 } else { 1 })
}

fn plain_revision(text: &str) -> String {
    text.replace("%2F", "/").replace("%2f", "/")
}

fn is_word(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty() && part.chars().all(allowed) && !part.starts_with('.')
}

/// The hub's own rules; `--` stands for the slash in the cache.
fn is_repository(text: &str) -> bool {
    let reserved = ["datasets", "spaces", "models", "kernels"];
    let organization = text.split_once('/').map(|(organization, _)| organization);
    text.split('/').count() <= 2
        && text.split('/').all(|part| is_word(part) && part.len() <= 96)
        && !text.contains("--")
        && !text.contains("..")
        && organization.is_none_or(|name| !reserved.contains(&name))
}

fn is_revision(text: &str) -> bool {
    let allowed = |part: &str| is_word(&part.replace(['+', '#'], "-"));
    text.len() <= 255 && text.split('/').all(allowed) && !text.contains("..")
}

impl std::fmt::Display for HubId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_gguf = |file: &String| file.ends_with(".gguf");
        match self.kind {
            HubKind::Dataset => f.write_str("hf:datasets/")?,
            HubKind::Model if self.file.iter().all(is_gguf) => {}
            HubKind::Model => f.write_str("hf:models/")?,
        }
        f.write_str(&self.repository)?;
        if self.revision != "main" {
            let revision = &self.revision;
            let apart = self.file.is_none() || revision.starts_with("refs/");
            let revision = if apart { revision.clone() } else { revision.replace('/', "%2F") };
            write!(f, "@{revision}")?;
        }
        self.file.iter().try_for_each(|file| write!(f, "/{file}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_a_revision_and_a_file() {
        let cases = [
            ("org/name", "org/name", "main", None),
            ("gpt2", "gpt2", "main", None),
            ("hf:gpt2", "gpt2", "main", None),
            ("hf:models/org/name", "org/name", "main", None),
            ("gpt2@refs/pr/1", "gpt2", "refs/pr/1", None),
            ("org/name@v1.0/sub/x.Q4.gguf", "org/name", "v1.0", Some("sub/x.Q4.gguf")),
            ("org/name@refs/pr/12/x.gguf", "org/name", "refs/pr/12", Some("x.gguf")),
            ("org/name@feature/x", "org/name", "feature/x", None),
            ("org/name@feature%2Fx/y.gguf", "org/name", "feature/x", Some("y.gguf")),
        ];
        for (text, repository, revision, file) in cases {
            let id = HubId::parse(text).unwrap_or_else(|| panic!("{text} is refused"));
            let got = (id.repository.as_str(), id.revision.as_str(), id.file.as_deref());
            assert_eq!(got, (repository, revision, file), "{text}");
            assert_eq!(HubId::parse(&id.to_string()), Some(id), "{text}");
        }
        for bad in [
            "",
            "org/",
            "/name",
            "org/na me",
            "org/name/x.bin",
            "org/../x.gguf",
            "a/b@",
            "../b",
            "a/b@../c",
            "a/b@x//y",
            "a--b/c",
            "datasets/org/name",
            "a/b@x/../y.gguf",
            "T=0.7",
        ] {
            assert_eq!(HubId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_are_those_of_data_sets_unless_a_model_is_said() {
        let cases = [
            ("hf:org/data/file.parquet", "datasets/org/data", "main", "file.parquet", None),
            (
                "hf://datasets/org/data/a/b.jsonl:text",
                "datasets/org/data",
                "main",
                "a/b.jsonl",
                Some("text"),
            ),
            (
                "hf:org/data@refs/convert/parquet/x/0.parquet",
                "datasets/org/data",
                "refs/convert/parquet",
                "x/0.parquet",
                None,
            ),
            (
                "hf:org/data@v2/lang=en/it's (1).csv:doc.q",
                "datasets/org/data",
                "v2",
                "lang=en/it's (1).csv",
                Some("doc.q"),
            ),
            ("hf:models/org/name/task.toml", "org/name", "main", "task.toml", None),
            ("hf:org/data/mail@x.txt", "datasets/org/data", "main", "mail@x.txt", None),
        ];
        for (text, page, revision, file, field) in cases {
            let (id, named) = HubId::parse_file(text).unwrap_or_else(|| panic!("{text}"));
            let got = (id.page(), id.revision.as_str(), id.file.as_deref().unwrap(), named);
            assert_eq!(got, (page.to_owned(), revision, file, field), "{text}");
            assert_eq!(HubId::parse_file(&id.to_string()).unwrap().0, id, "{text}");
        }
        for bad in [
            "org/data/x.txt",
            "hf:data/x.txt",
            "hf:org/data",
            "hf:org/data/",
            "hf:org/data/../x",
            "hf:a/b/.git/x",
        ] {
            assert_eq!(HubId::parse_file(bad), None, "{bad}");
        }
    }
}
