//! Requests to the hub: redirects that keep the token at home, and patience.

use std::{cell::Cell, time::Duration};
use ureq::{Agent, Body, http::Response};

use super::Hub;
use crate::{
    data::secret::without_logins,
    lm::{
        LmError,
        checkpoint::{http, notes},
    },
};

/// How often a request is tried again before its failure counts.
const TRIES: u32 = 5;

/// The longest that a hub's wish for a pause is obeyed.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How many redirects lead somewhere.
const REDIRECTS: usize = 10;

/// A connection to a hub.
pub(super) struct Remote<'a> {
    pub(super) hub: &'a Hub,
    agent: Agent,
    /// Whether the hub has answered anything: one that is not there is not waited for.
    reached: Cell<bool>,
}

/// An answer with the address it came from in the end.
pub(super) struct Answer {
    pub(super) response: Response<Body>,
    pub(super) url: String,
    /// Hash and size of a file by the first of the redirects that told them.
    linked: [Option<String>; 2],
}

/// What tells a file's hash and size where a redirect leads to the file.
const LINKED: [&str; 2] = ["x-linked-etag", "x-linked-size"];

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// The hash and the size of a file that a redirect or this answer tells, as opposed to those of what
    /// a storage sends.
    pub(super) fn linked(&self) -> [Option<&str>; 2] {
        let [etag, size] = &self.linked;
        [etag.as_deref().or(self.header(LINKED[0])), size.as_deref().or(self.header(LINKED[1]))]
    }

    /// Whether it comes from another host than `endpoint`.
    pub(super) fn is_foreign(&self, endpoint: &str) -> bool {
        !same_origin(endpoint, &self.url)
    }

    /// How long the hub wants to be left alone.
    fn pause(&self) -> Option<Duration> {
        let seconds = |text: &str| text.trim().parse().ok().map(Duration::from_secs);
        let limit = || {
            // `"api";r=0;t=55`: nothing remains for 55 seconds.
            let text = self.header("ratelimit")?;
            let part = |name: &str| text.split(';').find_map(|part| part.trim().strip_prefix(name));
            part("t=").filter(|_| part("r=") == Some("0")).and_then(seconds)
        };
        self.header("retry-after").and_then(seconds).or_else(limit)
    }
}

/// What remains of the patience with one request.
pub(super) struct Patience {
    left: u32,
    pause: Duration,
}

impl Patience {
    /// Waits, and says so, unless it is used up.
    pub(super) fn again(&mut self, why: &str, wish: Option<Duration>) -> bool {
        let pause = wish.unwrap_or(self.pause).max(self.pause);
        if self.left == 0 || pause > LONGEST_PAUSE {
            return false;
        }
        if pause >= Duration::from_secs(1) {
            notes::tell(&format!("{why}; trying again in {} s", pause.as_secs()));
        }
        std::thread::sleep(pause);
        self.left -= 1;
        self.pause *= 2;
        true
    }
}

impl<'a> Remote<'a> {
    pub(super) fn new(hub: &'a Hub) -> Result<Self, LmError> {
        // Redirects are followed here: those to other hosts must not see the token.
        let agent = http::agent(0, Duration::from_secs(60))?;
        Ok(Self { hub, agent, reached: Cell::new(false) })
    }

    pub(super) fn patience(&self) -> Patience {
        Patience { left: TRIES, pause: self.hub.pause }
    }

    /// What `url` gives from byte `from` on, whatever its status; redirects are followed everywhere.
    pub(super) fn get(&self, url: &str, from: u64) -> Result<Answer, LmError> {
        self.tried(url, || self.once(false, url, from))
    }

    /// The same without a body, and redirects to other hosts are what is asked for: they carry a file's hash.
    pub(super) fn head(&self, url: &str) -> Result<Answer, LmError> {
        self.tried(url, || self.once(true, url, 0))
    }

    fn tried(
        &self,
        url: &str,
        once: impl Fn() -> Result<Answer, Broken>,
    ) -> Result<Answer, LmError> {
        let mut patience = self.patience();
        loop {
            match once() {
                Err(Broken { why, passing }) => {
                    if !passing || !patience.again(&why, None) {
                        return Err(LmError::Fetch { what: url.into(), why });
                    }
                }
                // A storage refuses addresses that have grown old; the hub makes a new one.
                Ok(answer)
                    if is_passing(answer.status())
                        || (answer.status() == 403 && !same_origin(url, &answer.url)) =>
                {
                    let why = format!(
                        "`{}` answers with status {}",
                        without_logins(origin(&answer.url)),
                        answer.status()
                    );
                    if !patience.again(&why, answer.pause()) {
                        return Ok(answer);
                    }
                }
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// One request with its redirects.
    fn once(&self, head: bool, url: &str, from: u64) -> Result<Answer, Broken> {
        let mut at = url.to_owned();
        let mut linked = [None, None];
        for _ in 0..REDIRECTS {
            let request = if head { self.agent.head(&at) } else { self.agent.get(&at) };
            let mut request = request.header("accept-encoding", "identity");
            if let Some(token) = self.hub.token.as_ref().filter(|_| same_origin(url, &at)) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            if from > 0 {
                request = request.header("range", format!("bytes={from}-"));
            }
            let response = request.call().map_err(|error| self.broken(&error))?;
            self.reached.set(true);
            let answer = Answer { response, url: at, linked };
            let to = match answer.header("location") {
                Some(to) if answer.response.status().is_redirection() => join(&answer.url, to),
                _ => return Ok(answer),
            };
            if head && !same_origin(url, &to) {
                return Ok(answer);
            }
            if answer.url.starts_with("https:") && !to.starts_with("https:") {
                let why = format!("it is redirected to `{to}`, where nothing is encrypted");
                return Err(Broken { why, passing: false });
            }
            linked = answer.linked().map(|told| told.map(str::to_owned));
            at = to;
        }
        Err(Broken { why: format!("more than {REDIRECTS} redirects"), passing: false })
    }

    fn broken(&self, error: &ureq::Error) -> Broken {
        let said = error.to_string();
        let certificate = ["certificate", "UnknownIssuer"].iter().any(|word| said.contains(word));
        let hint = match certificate {
            true => {
                "; name the certificates that are trusted here by SSL_CERT_FILE or SSL_CERT_DIR"
            }
            false => "",
        };
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let cut = match error {
            ureq::Error::Io(error) => matches!(
                error.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
            ),
            ureq::Error::Protocol(_) => true,
            _ => false,
        };
        let hopeless = matches!(error, ureq::Error::BadUri(_) | ureq::Error::Http(_));
        let passing = !certificate && !hopeless && (cut || self.reached.get());
        Broken { why: format!("{said}{hint}"), passing }
    }
}

/// A request without an answer.
struct Broken {
    why: String,
    /// Whether it may go better the next time.
    passing: bool,
}

/// Statuses that may be others a moment later.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504)
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// Whether both are the hub itself, which has two names.
fn same_origin(a: &str, b: &str) -> bool {
    let own = |url: &str| matches!(url, "https://huggingface.co" | "https://hf.co");
    let (a, b) = (origin(a).to_ascii_lowercase(), origin(b).to_ascii_lowercase());
    a == b || (own(&a) && own(&b))
}

/// Where a `Location` leads from `url`.
fn join(url: &str, location: &str) -> String {
    let origin = origin(url);
    let path = url.split(['?', '#']).next().unwrap_or(url);
    match location {
        whole if whole.split(['/', '?']).next().is_some_and(|first| first.ends_with(':')) => {
            whole.to_owned()
        }
        host if host.starts_with("//") => {
            format!("{}:{host}", url.split(':').next().unwrap_or("https"))
        }
        rooted if rooted.starts_with('/') => format!("{origin}{rooted}"),
        query if query.starts_with('?') => format!("{path}{query}"),
        beside => {
            let folder = path.rfind('/').filter(|&at| at >= origin.len());
            format!("{}/{beside}", folder.map_or(origin, |at| &path[..at]))
        }
    }
}

/// Text as a part of an address: everything but letters, digits and `-_.~` is written with `%`.
pub(super) fn encoded(part: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    part.bytes().map(byte).collect()
}

/// A path with each of its parts encoded.
pub(super) fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_leads_from_where_it_was_said() {
        let from = "https://hub.co/a/b/c?x=1";
        let cases = [
            ("https://cdn.co/z?s=a:b", "https://cdn.co/z?s=a:b"),
            ("//cdn.co/z", "https://cdn.co/z"),
            (
                "/api/resolve-cache/x?etag=%22a%22",
                "https://hub.co/api/resolve-cache/x?etag=%22a%22",
            ),
            ("d", "https://hub.co/a/b/d"),
            ("?y=2", "https://hub.co/a/b/c?y=2"),
        ];
        for (to, expected) in cases {
            assert_eq!(join(from, to), expected, "{to}");
        }
        assert_eq!(join("http://127.0.0.1:80", "x"), "http://127.0.0.1:80/x");
    }

    #[test]
    fn the_token_stays_with_its_scheme_host_and_port() {
        assert!(same_origin("https://huggingface.co/a", "https://hf.co/b"));
        assert!(same_origin("http://127.0.0.1:1/a", "http://127.0.0.1:1?b"));
        for other in
            ["http://hub.co/", "https://hub.co:444", "https://hub.co.evil/", "https://x@hub.co/"]
        {
            assert!(!same_origin("https://hub.co/a", other), "{other}");
        }
    }

    #[test]
    fn parts_of_addresses_are_encoded() {
        assert_eq!(encoded("refs/pr/1"), "refs%2Fpr%2F1");
        assert_eq!(encoded_path("lang=en/ä 1.txt"), "lang%3Den/%C3%A4%201.txt");
    }
}
