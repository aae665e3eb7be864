//! What comes back of a request, or why nothing does.

use std::time::Duration;

use super::patience;

/// What a server answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    /// HTTP's number.
    pub status: u16,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// What the server calls itself.
    pub server: Option<String>,
    /// Whether it says that the body is HTML.
    pub html: bool,
    /// The body.
    pub body: String,
}

impl Reply {
    /// Takes a header, its name in small letters.
    pub fn header(&mut self, name: &str, value: &str) {
        match name {
            "retry-after" => self.retry_after = patience::retry_after(value),
            "location" => self.location = Some(value.to_owned()),
            "server" => self.server = Some(value.to_owned()),
            "content-type" => self.html = value.to_ascii_lowercase().starts_with("text/html"),
            _ => {}
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) enum Broken {
    /// No connection.
    Unreachable(String),
    /// The connection ended before the answer began.
    Closed(String),
    /// The connection is open, and nothing comes.
    Silent(String),
    /// Something came that is no answer.
    Garbled(String),
    /// A redirect that is not followed; it would not be the next time either.
    Elsewhere(String),
    /// The work is to end.
    Halted,
}

/// How long one exchange may take, and when it is to end before.
pub(super) struct Terms<'a> {
    /// Longest wait for an answer.
    pub read: Duration,
    /// Whether the work is to end.
    pub halted: &'a dyn Fn() -> bool,
    /// How long an answer on its way is waited for then.
    pub grace: Duration,
}
