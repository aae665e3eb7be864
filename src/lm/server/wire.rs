//! HTTP/1.1 over one connection that is kept: what a server on the same machine or network is asked by.
//!
//! A request is one write and an answer mostly one read, so that a server that answers at once is not kept
//! waiting by its client. Encrypted connections and proxies go through ureq.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use super::{
    address::Address,
    reply::{Broken, Reply, Terms},
};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(20);
/// How often a wait looks whether it is to end.
const SLICE: Duration = Duration::from_millis(250);
/// Most bytes of a head, and of an answer.
const MOST: (usize, usize) = (64 << 10, 64 << 20);

/// One kept connection.
#[derive(Default)]
pub(super) struct Wire {
    stream: Option<TcpStream>,
    /// Room for what is read.
    read: Vec<u8>,
    out: Vec<u8>,
}

impl Wire {
    /// One request and its answer. A kept connection that the server has closed is opened anew.
    pub fn exchange(
        &mut self,
        address: &Address,
        method: &str,
        target: &str,
        headers: &str,
        body: &[u8],
        terms: &Terms<'_>,
    ) -> Result<Reply, Broken> {
        self.out.clear();
        let (authority, length) = (address.authority(), body.len());
        let head = format!("{method} {target} HTTP/1.1\r\nhost: {authority}\r\n{headers}");
        self.out.extend_from_slice(head.as_bytes());
        if method == "POST" {
            self.out.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body);
        let kept = self.stream.is_some();
        let first = self.attempt(address, terms);
        match first {
            Err(Broken::Closed(_)) if kept => self.attempt(address, terms),
            other => other,
        }
    }

    fn attempt(&mut self, address: &Address, terms: &Terms<'_>) -> Result<Reply, Broken> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => open(address)?,
        };
        stream.write_all(&self.out).map_err(|error| Broken::Closed(error.to_string()))?;
        at_once(&stream);
        let mut incoming = Incoming {
            stream: &mut stream,
            read: &mut self.read,
            have: 0,
            until: Instant::now() + terms.read,
            halted_since: None,
            terms,
        };
        let (reply, keep) = incoming.reply()?;
        self.stream = keep.then_some(stream);
        Ok(reply)
    }
}

fn open(address: &Address) -> Result<TcpStream, Broken> {
    let place = (address.host.trim_matches(['[', ']']), address.port);
    let failed = |why: String| Broken::Unreachable(why);
    let found = place.to_socket_addrs().map_err(|error| failed(error.to_string()))?;
    let mut why = "the host has no address".to_owned();
    for at in found {
        match TcpStream::connect_timeout(&at, CONNECT) {
            Ok(stream) => {
                let set = stream.set_nodelay(true).and(stream.set_read_timeout(Some(SLICE)));
                set.map_err(|error| failed(error.to_string()))?;
                return Ok(stream);
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(failed(why))
}

/// Has the kernel confirm what comes without delay. Many small servers send head and body apart and hold the body back
/// until the head is confirmed, which costs 40 ms a request otherwise; the kernel forgets the wish between two requests.
fn at_once(stream: &TcpStream) {
    // Where the wish is refused answers come later, and nothing is wrong.
    #[cfg(target_os = "linux")]
    let _ = std::os::linux::net::TcpStreamExt::set_quickack(stream, true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// An answer on its way.
struct Incoming<'a> {
    stream: &'a mut TcpStream,
    read: &'a mut Vec<u8>,
    /// Bytes of it that are filled.
    have: usize,
    until: Instant,
    halted_since: Option<Instant>,
    terms: &'a Terms<'a>,
}

impl Incoming<'_> {
    /// Reads some more; `false` at the end of the connection.
    fn more(&mut self) -> Result<bool, Broken> {
        let least = self.have + (self.have / 2).clamp(16 << 10, 1 << 20);
        if self.read.len() < least {
            self.read.resize(least, 0);
        }
        loop {
            match self.stream.read(&mut self.read[self.have..]) {
                Ok(n) => {
                    self.have += n;
                    return Ok(n > 0);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&e.kind()) => {
                    let now = Instant::now();
                    if now >= self.until {
                        let seconds = self.terms.read.as_secs();
                        return Err(Broken::Silent(format!("no answer within {seconds} s")));
                    }
                    if (self.terms.halted)() {
                        let since = *self.halted_since.get_or_insert(now);
                        if now.duration_since(since) >= self.terms.grace {
                            return Err(Broken::Halted);
                        }
                    }
                }
                Err(e) => return Err(Broken::Closed(e.to_string())),
            }
        }
    }

    fn cut(what: &str) -> Broken {
        Broken::Garbled(format!("{what} ended early"))
    }

    /// The next line, without its end; taken from what was read at `at`.
    fn line(&mut self, at: &mut usize) -> Result<String, Broken> {
        loop {
            if let Some(length) = self.read[*at..self.have].iter().position(|&byte| byte == b'\n') {
                let line = &self.read[*at..*at + length];
                let line = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
                *at += length + 1;
                return Ok(line);
            }
            if self.have - *at > MOST.0 {
                return Err(Broken::Garbled("a line of the answer's head has no end".to_owned()));
            }
            if !self.more()? {
                return Err(match self.have == 0 {
                    true => Broken::Closed("the server closed the connection".to_owned()),
                    false => Self::cut("the answer"),
                });
            }
        }
    }

    fn upto(&mut self, end: usize) -> Result<(), Broken> {
        if end > MOST.1 {
            return Err(Broken::Garbled("an answer of more than 64 MB".to_owned()));
        }
        while self.have < end {
            if !self.more()? {
                return Err(Self::cut("the answer"));
            }
        }
        Ok(())
    }

    /// The answer, and whether its connection can be kept.
    fn reply(&mut self) -> Result<(Reply, bool), Broken> {
        let mut at = 0;
        let (mut reply, mut keep, mut length, mut chunked) = loop {
            let first = self.line(&mut at)?;
            let mut words = first.split(' ');
            let version = words.next().unwrap_or_default();
            let status = words.next().and_then(|status| status.parse::<u16>().ok());
            let Some(status) = status.filter(|_| version.starts_with("HTTP/1.")) else {
                return Err(Broken::Garbled("an answer that is not HTTP/1.1".to_owned()));
            };
            let mut reply = Reply { status, ..Reply::default() };
            let (mut keep, mut length, mut chunked) = (version != "HTTP/1.0", None, false);
            loop {
                let line = self.line(&mut at)?;
                if line.is_empty() {
                    break;
                }
                if at > MOST.0 {
                    return Err(Broken::Garbled("a head of more than 64 kB".to_owned()));
                }
                let (name, value) = line.split_once(':').unwrap_or((&line, ""));
                let (name, value) = (name.to_ascii_lowercase(), value.trim());
                match name.as_str() {
                    "content-length" => length = value.parse::<usize>().ok(),
                    "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
                    "connection" if value.eq_ignore_ascii_case("close") => keep = false,
                    "connection" if value.eq_ignore_ascii_case("keep-alive") => keep = true,
                    _ => reply.header(&name, value),
                }
            }
            // 100 and 103 come before the answer itself.
            if status >= 200 || status == 101 {
                break (reply, keep, length, chunked);
            }
        };
        if matches!(reply.status, 204 | 304) {
            (length, chunked) = (Some(0), false);
        }
        let body = if chunked {
            self.chunks(&mut at)?
        } else if let Some(length) = length {
            self.upto(at.saturating_add(length))?;
            self.read[at..at + length].to_vec()
        } else {
            keep = false;
            while self.more()? {
                if self.have > MOST.1 {
                    return Err(Broken::Garbled("an answer of more than 64 MB".to_owned()));
                }
            }
            self.read[at..self.have].to_vec()
        };
        reply.body = String::from_utf8_lossy(&body).into_owned();
        Ok((reply, keep))
    }

    fn chunks(&mut self, at: &mut usize) -> Result<Vec<u8>, Broken> {
        let mut body = Vec::new();
        loop {
            let line = self.line(at)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = usize::from_str_radix(size, 16) else {
                return Err(Broken::Garbled("a part of the answer without a length".to_owned()));
            };
            if size == 0 {
                while !self.line(at)?.is_empty() {}
                return Ok(body);
            }
            self.upto(at.saturating_add(size).saturating_add(2))?;
            body.extend_from_slice(&self.read[*at..*at + size]);
            *at += size + 2;
        }
    }
}
