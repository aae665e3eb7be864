//! One worker's line to the server: a kept connection, redirects on one host, and what an answer says of itself.

use std::time::Duration;

use super::{
    address::Address,
    reply::{Broken, Reply, Terms},
    wire::Wire,
};
use crate::lm::{LmError, checkpoint::http};

/// Redirects that one request follows.
const REDIRECTS: usize = 5;

/// A worker's line.
pub(super) struct Line {
    address: Address,
    authorization: Option<String>,
    way: Way,
}

enum Way {
    Plain(Box<Wire>),
    Agent(Box<ureq::Agent>),
}

impl Line {
    /// A line to `address`; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Those of [`http::agent`].
    pub fn new(
        address: Address,
        authorization: Option<String>,
        read: Duration,
    ) -> Result<Self, LmError> {
        let way = Self::way(&address, read)?;
        Ok(Self { address, authorization, way })
    }

    fn way(address: &Address, read: Duration) -> Result<Way, LmError> {
        let near = matches!(address.host.as_str(), "localhost" | "[::1]")
            || address.host.starts_with("127.");
        let proxied = !near && ureq::Proxy::try_from_env().is_some();
        Ok(match address.tls || proxied {
            true => Way::Agent(Box::new(http::agent(0, read)?)),
            false => Way::Plain(Box::default()),
        })
    }

    /// Posts `body` to `target`, or gets it where there is none.
    pub fn ask(
        &mut self,
        target: &str,
        body: Option<&[u8]>,
        terms: &Terms<'_>,
    ) -> Result<Reply, Broken> {
        let mut target = target.to_owned();
        for _ in 0..=REDIRECTS {
            let reply = self.once(&target, body, terms)?;
            let moved = matches!(reply.status, 301 | 302 | 307 | 308);
            let (true, Some(location)) = (moved, &reply.location) else { return Ok(reply) };
            let to = self.address.redirected(location, &target);
            let (address, path) = to.map_err(|other| {
                Broken::Elsewhere(format!(
                    "it redirects to `{other}`, and nothing is sent to another host than the one that \
                     was named; name that one if it is meant"
                ))
            })?;
            if address != self.address {
                let way = Self::way(&address, terms.read);
                self.way = way.map_err(|error| Broken::Elsewhere(error.to_string()))?;
                self.address = address;
            }
            target = path;
        }
        Err(Broken::Elsewhere(format!("it redirects more than {REDIRECTS} times")))
    }

    fn once(
        &mut self,
        target: &str,
        body: Option<&[u8]>,
        terms: &Terms<'_>,
    ) -> Result<Reply, Broken> {
        let method = if body.is_some() { "POST" } else { "GET" };
        match &mut self.way {
            Way::Plain(wire) => {
                let mut headers = String::from(concat!(
                    "user-agent: llmpr/",
                    env!("CARGO_PKG_VERSION"),
                    "\r\naccept: application/json\r\n"
                ));
                if body.is_some() {
                    headers.push_str("content-type: application/json\r\n");
                }
                if let Some(authorization) = &self.authorization {
                    headers.push_str(&format!("authorization: {authorization}\r\n"));
                }
                let body = body.unwrap_or_default();
                wire.exchange(&self.address, method, target, &headers, body, terms)
            }
            Way::Agent(agent) => {
                let url = format!("{}{target}", self.address.origin());
                let key = self.authorization.as_deref();
                let answer = match body {
                    Some(body) => {
                        let mut request =
                            agent.post(&url).header("content-type", "application/json");
                        if let Some(key) = key {
                            request = request.header("authorization", key);
                        }
                        request.send(body)
                    }
                    None => {
                        let mut request = agent.get(&url);
                        if let Some(key) = key {
                            request = request.header("authorization", key);
                        }
                        request.call()
                    }
                };
                if (terms.halted)() && answer.is_err() {
                    return Err(Broken::Halted);
                }
                let mut answer = answer.map_err(|e| Broken::Unreachable(e.to_string()))?;
                let mut reply = Reply { status: answer.status().as_u16(), ..Reply::default() };
                for (name, value) in answer.headers() {
                    reply.header(name.as_str(), value.to_str().unwrap_or_default());
                }
                let read = answer.body_mut().with_config().limit(64 << 20).read_to_string();
                reply.body = read.map_err(|e| Broken::Garbled(e.to_string()))?;
                Ok(reply)
            }
        }
    }
}
