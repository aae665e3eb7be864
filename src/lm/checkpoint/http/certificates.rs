//! Whom a connection trusts: what the environment names, else the system's list, else the built-in one.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::lm::LmError;

/// Where systems keep the list of those they trust; the first that is there counts.
const BUNDLES: [&str; 8] = [
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",   // older ones of these
    "/etc/ssl/ca-bundle.pem",             // openSUSE
    "/var/lib/ca-certificates/ca-bundle.pem", // newer ones
    "/etc/ssl/cert.pem",                  // Alpine, macOS, the BSDs
    "/usr/local/etc/openssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt", // FreeBSD
];

/// The certificates of `SSL_CERT_FILE` and of the folders of `SSL_CERT_DIR`, as OpenSSL takes both; where
/// neither is set the system's; `None` for the built-in ones.
///
/// # Errors
///
/// [`LmError::Read`] and [`LmError::BadFile`] when what a variable names holds no readable certificate.
pub(super) fn roots() -> Result<Option<RootCerts>, LmError> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let file = set("SSL_CERT_FILE").map(PathBuf::from);
    let folders: Vec<PathBuf> =
        set("SSL_CERT_DIR").iter().flat_map(std::env::split_paths).collect();
    let bundle = || BUNDLES.iter().map(Path::new).find(|path| path.is_file());
    Ok(match named(file.as_deref(), &folders)? {
        found if !found.is_empty() => Some(specific(found)),
        // A system's list that cannot be read must not cut anybody off.
        _ => bundle().and_then(|path| read(path).ok()).filter(|all| !all.is_empty()).map(specific),
    })
}

fn specific(certificates: Vec<Certificate<'static>>) -> RootCerts {
    RootCerts::Specific(Arc::new(certificates))
}

/// Certificates of a file and of folders, each once.
fn named(file: Option<&Path>, folders: &[PathBuf]) -> Result<Vec<Certificate<'static>>, LmError> {
    let mut found = Vec::new();
    if let Some(path) = file {
        found.extend(read(path)?);
        if found.is_empty() {
            let what = "SSL_CERT_FILE names it, and it holds no PEM certificate".into();
            return Err(LmError::BadFile { path: path.display().to_string(), what });
        }
    }
    for folder in folders {
        // OpenSSL passes over folders that are not there, and systems name such by default.
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        // Beside certificates such folders hold other things, too.
        found.extend(paths.iter().filter_map(|path| read(path).ok()).flatten());
    }
    if let (true, None, [first, ..]) = (found.is_empty(), file, folders) {
        let what = "SSL_CERT_DIR names it, and it holds no PEM certificate".into();
        return Err(LmError::BadFile { path: first.display().to_string(), what });
    }
    let mut seen = HashSet::new();
    found.retain(|certificate| seen.insert(certificate.der().to_vec()));
    Ok(found)
}

/// The certificates of a PEM file; keys and what else may stand there are passed over.
fn read(path: &Path) -> Result<Vec<Certificate<'static>>, LmError> {
    let shown = || path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| LmError::Read { path: shown(), source })?;
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    Ok(parse_pem(&bytes).filter_map(certificate).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PEM around bytes that only a connection would look into.
    fn pem(base64: &str) -> String {
        format!("# a comment\n-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn files_and_folders_are_read_together_and_each_certificate_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("d")).unwrap();
        std::fs::write(path("one.pem"), pem("AAAA") + &pem("AAEC")).unwrap();
        std::fs::write(path("d/a1b2.0"), pem("AAAA")).unwrap();
        std::fs::write(path("d/b.crt"), pem("AwQF")).unwrap();
        std::fs::write(path("d/README"), "no certificate").unwrap();
        let folders = [path("missing"), path("d")];
        let count =
            |file: Option<&Path>, folders: &[PathBuf]| named(file, folders).map(|c| c.len());
        assert_eq!(count(Some(&path("one.pem")), &folders).unwrap(), 3);
        assert_eq!(count(None, &folders).unwrap(), 2);
        assert_eq!(count(None, &[]).unwrap(), 0);
        let message = count(Some(&path("d/README")), &folders).unwrap_err().to_string();
        assert!(message.contains("SSL_CERT_FILE names it"), "{message}");
        let message = count(None, &[path("missing")]).unwrap_err().to_string();
        assert!(message.contains("SSL_CERT_DIR names it"), "{message}");
    }
}
