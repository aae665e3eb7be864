//! The HTTP client of downloads and servers: proxies and certificates from the environment.

use std::{sync::Arc, time::Duration};
use ureq::{
    Agent,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::lm::LmError;

/// A client that gives responses of any status, not errors, and follows `redirects` of them.
///
/// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are honored; `SSL_CERT_FILE` replaces the
/// built-in certificates.
///
/// # Errors
///
/// [`LmError::Read`] and [`LmError::BadFile`] when `SSL_CERT_FILE` names no readable certificates.
pub(crate) fn agent(redirects: u32, patience: Duration) -> Result<Agent, LmError> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(redirects)
        .max_redirects_will_error(false)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .user_agent(concat!("llmpr/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        let path = std::path::PathBuf::from(path);
        let shown = path.display().to_string();
        let bytes =
            std::fs::read(&path).map_err(|source| LmError::Read { path: shown.clone(), source })?;
        let certificates: Vec<_> = parse_pem(&bytes)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        if certificates.is_empty() {
            let what = "SSL_CERT_FILE names it, and it holds no PEM certificate".into();
            return Err(LmError::BadFile { path: shown, what });
        }
        let roots = RootCerts::Specific(Arc::new(certificates));
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    Ok(config.build().into())
}
