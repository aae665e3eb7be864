//! What must not be written or printed: passwords in addresses, keys that a server quotes back.

/// What stands in a secret's place.
const HIDDEN: &str = "***";

/// Shorter secrets are not looked for: their letters stand in every text.
const LEAST: usize = 4;

/// `text` with what stands between `://` and `@` of an address left out.
///
/// ```
/// # use llmpr::data::secret::without_logins;
/// assert_eq!(without_logins("openai:https://me:pass@host/v1#m"), "openai:https://host/v1#m");
/// assert_eq!(without_logins("http://host:8000/v1#org@rev"), "http://host:8000/v1#org@rev");
/// ```
pub fn without_logins(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let ends = |c: char| c.is_whitespace() || "#,\"'`".contains(c);
        let address = &after[..after.find(ends).unwrap_or(after.len())];
        let authority = &address[..address.find('/').unwrap_or(address.len())];
        // A password may hold a slash that should have been written %2F: then what looks like a port is none.
        let odd = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.chars().all(|c| c.is_ascii_digit() || c == ']'));
        let login = authority.rfind('@').or_else(|| address.rfind('@').filter(|_| odd));
        rest = &after[login.map_or(0, |at| at + 1)..];
        let kept = &address[login.map_or(0, |at| at + 1)..];
        out.push_str(kept);
        rest = &rest[kept.len()..];
    }
    out.push_str(rest);
    out
}

/// Secrets of one server; whatever it says goes through [`Secrets::hide`].
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({HIDDEN})")
    }
}

impl Secrets {
    /// These, the longest first, so that none is left in part.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets.into_iter().filter(|s| s.len() >= LEAST).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self(secrets)
    }

    /// `text` without them, and without logins of addresses.
    pub fn hide(&self, text: &str) -> String {
        let text = self.replace(text.to_owned());
        if text.contains("://") { without_logins(&text) } else { text }
    }

    /// `text` without them; as it came where none is in it.
    pub fn replace(&self, mut text: String) -> String {
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        text
    }
}

/// Base64 with padding, as HTTP's basic authorization has it.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let byte = |i: usize| u32::from(part.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= part.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// `text` with `%41` read as `A`; what is no such escape stays.
pub fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_left_out_wherever_an_address_stands() {
        for (text, wanted) in [
            ("--models=openai:http://a:b@h:8/v1#m,tiny", "--models=openai:http://h:8/v1#m,tiny"),
            ("see `http://a:p@ss@h/` and ftp://x@y", "see `http://h/` and ftp://y"),
            ("openai:http://me:pa/ss@h/v1#m", "openai:http://h/v1#m"),
            ("`https://me:pa@ss@h/a@b`; and https://u@h", "`https://h/a@b`; and https://h"),
            ("http://h/v1#name@rev", "http://h/v1#name@rev"),
            ("http://h:80/p@th", "http://h:80/p@th"),
            ("no address", "no address"),
        ] {
            assert_eq!(without_logins(text), wanted);
        }
    }

    #[test]
    fn a_secret_is_hidden_whole_and_short_words_are_none() {
        let secrets = Secrets::new(["sk-12".into(), "sk-1234".into(), "a".into()]);
        assert_eq!(secrets.hide("key sk-1234 and sk-12 at a"), "key *** and *** at a");
        assert_eq!(format!("{secrets:?}"), "Secrets(***)");
    }

    #[test] // RFC 4648, section 10, and RFC 7617, section 2
    fn base64_is_the_standard_s() {
        for (text, wanted) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), wanted);
        }
        assert_eq!(base64(b"Aladdin:open sesame"), "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(percent_decoded("p%40ss%2Fw%zz%"), "p@ss/w%zz%");
    }
}
