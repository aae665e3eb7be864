//! Certificates that only the environment names.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use super::{command, ended};
use crate::common::skipped;

/// A hub that knows no repository, behind TLS; prints its port.
const SERVER: &str = "
import http.server, ssl, sys
class Hub(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404)
        self.send_header('x-error-code', 'RepoNotFound')
        self.send_header('content-length', '0')
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Hub)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
";

fn openssl(folder: &Path, args: &str) -> bool {
    let ran = Command::new("openssl").args(args.split(' ')).current_dir(folder).output();
    ran.is_ok_and(|output| output.status.success())
}

/// An authority, a certificate of it for 127.0.0.1, and an authority of somebody else.
fn certificates(folder: &Path) -> bool {
    std::fs::write(folder.join("san"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        folder,
        &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"),
    ) && openssl(
        folder,
        &format!("req -x509 {key} -keyout other.key -out other.pem -days 2 -subj /CN=other"),
    ) && openssl(folder, &format!("req {key} -keyout own.key -out own.csr -subj /CN=hub"))
        && openssl(
            folder,
            "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out own.pem",
        )
}

#[test]
fn certificates_come_from_a_file_or_a_folder_that_the_environment_names() {
    let test = "certificates_come_from_a_file_or_a_folder_that_the_environment_names";
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    if !certificates(folder.path()) {
        return skipped(test, "no openssl that makes certificates");
    }
    let server = Command::new("python3")
        .args(["-c", SERVER])
        .args([path("own.pem"), path("own.key")])
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut server) = server else { return skipped(test, "no python3") };
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let endpoint = format!("https://127.0.0.1:{}", port.trim());
    std::fs::create_dir(path("folder")).unwrap();
    std::fs::copy(path("ca.pem"), path("folder/1a2b3c4d.0")).unwrap();
    let pull = |file: Option<&str>, folders: Option<&str>| {
        let mut command = command(&path("home"), &endpoint, &["models", "pull", "org/name"]);
        for (name, value) in [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", folders)] {
            match value {
                Some(value) => command.env(name, path(value)),
                None => command.env_remove(name),
            };
        }
        ended(command.spawn().unwrap()).stderr
    };
    let said: Vec<String> = [
        pull(Some("ca.pem"), None),
        pull(None, Some("folder")),
        pull(Some("other.pem"), Some("folder")),
        pull(None, None),
        pull(Some("other.pem"), None),
    ]
    .into();
    let _ = server.kill();
    let _ = server.wait();
    for said in &said[..3] {
        assert!(said.contains("the hub has no model `org/name`"), "{said}");
    }
    for said in &said[3..] {
        assert!(
            said.contains(
                "name the certificates that are trusted here by SSL_CERT_FILE or SSL_CERT_DIR"
            ),
            "{said}"
        );
    }
}
