//! Where a server is: scheme, host, port and path, apart from who asks there.

use crate::{
    data::secret::{base64, percent_decoded},
    lm::LmError,
};

/// An address without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Name or number of the host; an IPv6 number in brackets.
    pub host: String,
    /// The port, the scheme's own where none was written.
    pub port: u16,
    /// What stands before the protocol's own paths: `/v1`, without a slash behind.
    pub path: String,
}

/// User and password of an address, in the forms in which they could be quoted.
#[derive(Clone, Default)]
pub(super) struct Login {
    /// `Basic …`.
    pub header: Option<String>,
    /// Whatever must not be seen.
    pub secrets: Vec<String>,
}

impl Address {
    /// Reads `http://user:password@host:port/v1`.
    ///
    /// # Errors
    ///
    /// [`LmError::Model`], without the password.
    pub fn parse(url: &str) -> Result<(Self, Login), LmError> {
        let no = |what: &str| LmError::Model {
            model: crate::data::secret::without_logins(&format!("openai:{url}")),
            what: what.to_owned(),
        };
        let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(no("an address begins with http:// or https://")),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if path.contains('?') || authority.contains('?') {
            return Err(no("an address has no `?`; write openai:http://host:port/v1#model-name"));
        }
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Login::of(login), place),
            None => (Login::default(), authority),
        };
        let cut = place.rfind(':').filter(|at| !place[*at..].contains(']'));
        let (host, port) = place.split_at(cut.unwrap_or(place.len()));
        let port = match port.strip_prefix(':') {
            None | Some("") => Some(if tls { 443 } else { 80 }),
            Some(port) => port.parse().ok(),
        };
        let Some(port) = port else {
            return Err(no("what stands behind the host's colon is no port"));
        };
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if host.is_empty() || host.contains(odd) || path.contains(odd) {
            return Err(no("an address has a host and no blanks"));
        }
        let path = path.trim_end_matches('/').to_owned();
        Ok((Self { tls, host: host.to_owned(), port, path }, login))
    }

    /// `http://host:port/v1`.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), self.path)
    }

    /// `http://host:port`, the port left out where it is the scheme's own.
    pub fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// `host:port`, as the header `Host` has it.
    pub fn authority(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    /// Where a redirect from `target` leads: the path on this host, and whether it goes on encrypted.
    ///
    /// # Errors
    ///
    /// The other host, where it leads to one: nobody else gets what was meant for this one.
    pub fn redirected(&self, location: &str, target: &str) -> Result<(Self, String), String> {
        if location.contains("://") {
            let bare = location.split(['?', '#']).next().unwrap_or_default();
            let Ok((to, _)) = Self::parse(bare) else {
                return Err("a place that is no address".to_owned());
            };
            let upgraded = to.tls && !self.tls && to.host == self.host && to.port == 443;
            let same = (to.tls, &to.host, to.port) == (self.tls, &self.host, self.port);
            if !same && !upgraded {
                return Err(to.origin());
            }
            let rest = location.split_once("://").map_or("", |(_, rest)| rest);
            let path = rest.find('/').map_or("/", |at| &rest[at..]);
            let moved = Self { path: self.path.clone(), ..to };
            return Ok((moved, fragmentless(path).to_owned()));
        }
        if location.starts_with("//") {
            let scheme = if self.tls { "https:" } else { "http:" };
            return self.redirected(&format!("{scheme}{location}"), target);
        }
        if location.starts_with('/') {
            return Ok((self.clone(), fragmentless(location).to_owned()));
        }
        let folder = target.rsplit_once('/').map_or("", |(folder, _)| folder);
        Ok((self.clone(), format!("{folder}/{}", fragmentless(location))))
    }
}

fn fragmentless(path: &str) -> &str {
    path.split('#').next().unwrap_or(path)
}

impl Login {
    fn of(login: &str) -> Self {
        let plain = percent_decoded(login);
        let coded = base64(plain.as_bytes());
        let password = plain.split_once(':').map_or("", |(_, password)| password).to_owned();
        let raw = login.split_once(':').map_or("", |(_, password)| password).to_owned();
        let secrets = vec![login.to_owned(), plain, password, raw, coded.clone()];
        Self { header: Some(format!("Basic {coded}")), secrets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_login_kept_apart() {
        let (address, login) = Address::parse("http://me:p%40ss@10.0.0.1:8000/api/v1/").unwrap();
        assert_eq!(address.url(), "http://10.0.0.1:8000/api/v1");
        assert_eq!(login.header.as_deref(), Some("Basic bWU6cEBzcw=="));
        assert!(login.secrets.contains(&"p@ss".to_owned()));
        let (six, _) = Address::parse("https://[::1]/v1").unwrap();
        assert_eq!(
            (six.host.as_str(), six.port, six.authority().as_str()),
            ("[::1]", 443, "[::1]")
        );
        for bad in ["http://h:port/v1", "http://:80/v1", "ftp://h/v1", "http://h/v1?key=1"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
        let hidden = Address::parse("http://me:secret@h:x/v1").err().unwrap().to_string();
        assert!(!hidden.contains("secret"), "{hidden}");
    }

    #[test]
    fn a_redirect_stays_on_its_host() {
        let (address, _) = Address::parse("http://h:8000/v1").unwrap();
        let path = |location: &str| Some(address.redirected(location, "/v1/models").ok()?.1);
        assert_eq!(path("/v2/models?t=1#x").as_deref(), Some("/v2/models?t=1"));
        assert_eq!(path("list").as_deref(), Some("/v1/list"));
        assert_eq!(path("http://h:8000/v3?a=b").as_deref(), Some("/v3?a=b"));
        for other in ["http://other:8000/v1?token=t", "//other/v1", "http://h:9/v1"] {
            let said = address.redirected(other, "/v1").unwrap_err();
            assert!(!said.contains("token"), "{said}");
        }
        let (up, _) = Address::parse("http://h/v1").unwrap();
        assert!(up.redirected("https://h/v1/models", "/v1").unwrap().0.tls);
        let (down, _) = Address::parse("https://h/v1").unwrap();
        assert!(down.redirected("http://h/v1/models", "/v1").is_err());
    }
}
