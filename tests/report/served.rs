//! `llmpr report --serve`, as programs and a browser see it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::{browser, fabricate};

/// A server that ends with the test.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_llmpr"))
            .arg("report")
            .args(args)
            .arg("--serve")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").and_then(|l| l.split('/').next());
        Self { address: address.unwrap_or_else(|| panic!("no address: {line}")).into(), child }
    }

    /// Head and body of the answer.
    fn ask(&self, path: &str, host: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.into(), body.into())
    }

    fn get(&self, path: &str) -> (String, String) {
        self.ask(path, &self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn run(dir: &Path) -> String {
    fabricate::run(dir, "run", "tiny", 1.0).to_str().unwrap().into()
}

#[test]
fn a_served_report_has_its_files_and_nothing_else_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let served = Served::start(&[&run, "--texts", "20"]);
    assert!(served.address.starts_with("127.0.0.1:"), "{}", served.address);
    let (head, page) = served.get("/report.html");
    assert!(head.starts_with("HTTP/1.1 200 OK") && page.contains("id=\"recommended\""), "{head}");
    assert!(!page.contains("<meta name=\"llmpr-live\""), "a whole run is not waited for");
    for path in ["/results.csv", "/texts/0.json", "/texts/references.json", "/progress.json"] {
        assert!(served.get(path).0.starts_with("HTTP/1.1 200 OK"), "{path}");
    }
    for path in [
        "/run.json",
        "/../run/run.json",
        "/figures/../run.json",
        "/cells/x/cell.json",
        "//etc/passwd",
    ] {
        let (head, body) = served.get(path);
        assert!(head.starts_with("HTTP/1.1 404"), "{path}: {head} {body:.80}");
    }
    // A page of another site whose name leads here.
    let (head, body) = served.ask("/report.html", "evil.example");
    assert!(head.starts_with("HTTP/1.1 403") && !body.contains("recommended"), "{head}");
}

#[test]
fn a_run_that_is_being_written_is_told_of_and_its_new_scores_shown() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let root = Path::new(&run);
    std::fs::remove_file(root.join("results.json")).unwrap();
    let cells: Vec<_> = std::fs::read_dir(root.join("cells")).unwrap().flatten().collect();
    let kept: Vec<_> = cells.iter().map(|cell| cell.path().join("scores.json")).collect();
    let away = |at: usize| dir.path().join(format!("score {at}"));
    for (at, path) in kept.iter().enumerate() {
        std::fs::rename(path, away(at)).unwrap();
    }
    let out = dir.path().join("out");
    let served = Served::start(&[&run, "-o", out.to_str().unwrap()]);
    let (head, page) = served.get("/");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(page.contains("0 of 20 cells are scored, 1600 of 1600 texts are drawn."), "{page}");
    for (at, path) in kept.iter().enumerate().take(3) {
        std::fs::rename(away(at), path).unwrap();
    }
    let (_, page) = served.get("/report.html");
    assert!(page.contains("<meta name=\"llmpr-live\"") && page.contains("data-cells=\"3\""));
    assert!(page.contains("The run is not whole: 17 of the 20 cells"), "{page:.3000}");
    let (_, told) = served.get("/progress.json");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["scored"], &told["cells"], &told["done"]),
        (&3.into(), &20.into(), &false.into())
    );
    std::fs::rename(away(3), &kept[3]).unwrap();
    assert!(served.get("/report.html").1.contains("data-cells=\"4\""));
    let Some(chromium) = browser::chromium() else { return };
    let page = format!("http://{}/report.html", served.address);
    let dom = browser::dump(chromium, &page, &dir.path().join("home"), &[]);
    assert!(dom.contains("4 of 20 cells are scored"), "the page tells how far the run is");
}

#[test]
fn a_served_page_shows_every_text() {
    let Some(chromium) = browser::chromium() else { return };
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let served = Served::start(&[&run, "--texts", "20"]);
    let page = format!("http://{}/report.html#cell=tiny06", served.address);
    let dom = browser::dump(chromium, &page, &dir.path().join("home"), &[]);
    assert!(
        dom.contains("80 shown. 80 texts; ") && dom.contains("; all of them are here."),
        "{dom:.3000}"
    );
    // From its file the same page shows what is in it.
    let file = format!("file://{run}/report.html#cell=tiny06");
    let dom = browser::dump(chromium, &file, &dir.path().join("home"), &[]);
    assert!(
        dom.contains("1 shown. 80 texts; ")
            && dom.contains("; 1, chosen at random, of them are here.")
    );
}

#[test]
fn what_cannot_be_served_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let llmpr = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_llmpr")).arg("report").args(args).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = llmpr(&[dir.path().to_str().unwrap(), "--serve"]);
    assert!(code == Some(1) && said.contains("is no run folder"), "{said}");
    let run = run(dir.path());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, said) = llmpr(&[&run, "--serve", "--port", &port]);
    assert!(code == Some(1) && said.contains("name another with --port"), "{said}");
}
