//! What the hub says no to, and what a person can do about it.

use serde_json::Value;

use super::{
    HubId, HubKind,
    remote::{Answer, Remote, encoded},
};
use crate::lm::LmError;

impl Remote<'_> {
    /// The answer, or what its status means for `id`.
    pub(super) fn accepted(&self, answer: Answer, id: &HubId) -> Result<Answer, LmError> {
        match answer.status() {
            200..=299 => Ok(answer),
            _ => {
                // Most refusals are of the whole repository, whichever file it was that was asked for.
                let of_file = answer.header("x-error-code") == Some("EntryNotFound");
                let whole = HubId { file: id.file.clone().filter(|_| of_file), ..id.clone() };
                Err(LmError::Refused { id: whole.to_string(), why: self.refusal(&answer, id) })
            }
        }
    }

    fn refusal(&self, answer: &Answer, id: &HubId) -> String {
        let page = format!("{}/{}", self.hub.endpoint, id.page());
        let known = self.hub.token.is_some();
        let said = answer.header("x-error-message").unwrap_or_default();
        let (status, code) = (answer.status(), answer.header("x-error-code").unwrap_or_default());
        match (code, status) {
            _ if answer.is_foreign(&self.hub.endpoint) => {
                let host = answer.url.split('?').next().unwrap_or_default();
                format!(
                    "the storage answers `{host}` with status {status}; run it again later, and it goes on"
                )
            }
            _ if said.contains("Access to this resource is disabled") => {
                format!("the hub has closed this repository; {page} may say why")
            }
            ("GatedRepo", _) if known => {
                format!(
                    "it is gated; accept its terms at {page} with the account of this token (HF_TOKEN)"
                )
            }
            ("GatedRepo", _) => format!(
                "it is gated; accept its terms at {page}, make a token at {}/settings/tokens and set HF_TOKEN",
                self.hub.endpoint
            ),
            ("RevisionNotFound", _) => self.no_revision(id),
            ("EntryNotFound", _) => {
                let file = id.file.as_deref().unwrap_or("such file");
                format!(
                    "the repository has no `{file}` at `{}`; {page}/tree/main shows its files",
                    id.revision
                )
            }
            ("RepoNotFound", _) => self.no_repository(id),
            // Said of a token that is none, whatever is asked for.
            (_, 401) if known && is_of_token(said) => self.bad_token(),
            // The hub hides from strangers whether a repository exists.
            (_, 401) => self.no_repository(id),
            (_, 403) if said.is_empty() => format!(
                "the hub refuses this token; give it access at {}/settings/tokens, or accept the terms at {page}",
                self.hub.endpoint
            ),
            (_, 403) => format!("the hub refuses: {}", said.trim_end_matches('.')),
            (_, 404) => self.no_repository(id),
            (_, 429) => {
                let more = if known {
                    "wait a few minutes"
                } else {
                    "set HF_TOKEN, which allows more, or wait"
                };
                format!("too many requests for the hub; {more} and run it again, and it goes on")
            }
            (_, 500..) => {
                format!("the hub fails with status {status}; run it again later, and it goes on")
            }
            _ => format!("the hub answered `{}` with status {status} {said}", answer.url)
                .trim_end()
                .to_owned(),
        }
    }

    fn bad_token(&self) -> String {
        format!(
            "the hub does not know this token; make one at {}/settings/tokens for HF_TOKEN, or unset it and remove the \
             file of `hf auth login` for what is public",
            self.hub.endpoint
        )
    }

    fn no_repository(&self, id: &HubId) -> String {
        let kind = match id.kind {
            HubKind::Model => "model",
            HubKind::Dataset => "data set",
        };
        let private = match self.hub.token.is_some() {
            true => "the account of this token (HF_TOKEN) may not see it",
            false => "it is private or gated and HF_TOKEN is not set",
        };
        format!("the hub has no {kind} `{}`, or {private}; check the spelling", id.repository)
    }

    /// A revision is answered with those that exist.
    fn no_revision(&self, id: &HubId) -> String {
        let url = format!("{}/api/{}/{}/refs", self.hub.endpoint, id.kind.plural(), id.repository);
        let names = || -> Option<Vec<String>> {
            let mut answer = self.get(&url, 0).ok().filter(|answer| answer.status() == 200)?;
            let text = answer.response.body_mut().read_to_string().ok()?;
            let json: Value = serde_json::from_str(&text).ok()?;
            let lists = ["branches", "tags"].map(|list| json[list].as_array().cloned());
            let all = lists.into_iter().flatten().flatten();
            Some(all.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect())
        };
        let has = match names() {
            Some(names) if !names.is_empty() => {
                let more = if names.len() > 8 { ", …" } else { "" };
                let shown: Vec<String> =
                    names.iter().take(8).map(|name| format!("`{name}`")).collect();
                format!("it has {}{more}, any commit in full, and refs/pr/N", shown.join(", "))
            }
            _ => format!("{}/{}/commits/main shows them", self.hub.endpoint, id.page()),
        };
        format!("the repository has no revision `{}`; {has}", id.revision)
    }

    /// Address of a revision's listing.
    pub(super) fn listing_url(&self, id: &HubId) -> String {
        let (kind, revision) = (id.kind.plural(), encoded(&id.revision));
        format!("{}/api/{kind}/{}/revision/{revision}", self.hub.endpoint, id.repository)
    }
}

/// Whether a 401 is about the token and not about the repository.
fn is_of_token(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    ["invalid credentials", "invalid username or password", "user access token", "expired"]
        .iter()
        .any(|words| said.contains(words))
}
