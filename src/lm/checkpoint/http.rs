//! The HTTP client of downloads and servers: proxies and certificates from the environment.

mod certificates;

use std::time::Duration;
use ureq::{Agent, tls::TlsConfig};

use crate::lm::LmError;

/// A client that gives responses of any status, not errors, and follows `redirects` of them.
///
/// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are honored. `SSL_CERT_FILE` and `SSL_CERT_DIR`
/// name the certificates that are trusted; without them it is the system's list, and where there is none
/// the built-in one.
///
/// # Errors
///
/// [`LmError::Read`] and [`LmError::BadFile`] when these variables name no readable certificates.
pub(crate) fn agent(redirects: u32, patience: Duration) -> Result<Agent, LmError> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(redirects)
        .max_redirects_will_error(false)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .user_agent(concat!("llmpr/", env!("CARGO_PKG_VERSION")));
    if let Some(roots) = certificates::roots()? {
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    Ok(config.build().into())
}
