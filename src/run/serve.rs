//! A report on loopback: its page, the files beside it, and how far a running sweep is.

use std::{
    collections::HashMap,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Component, Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use serde::Serialize;

use super::{
    finished::ReadError,
    folder::RunFolder,
    publish::{PublishError, publish},
};
use crate::report::{browse::Limits, page::waiting};

/// Bytes of a request's head at most.
const MOST_HEAD: u64 = 16_384;
/// How long a request may take to arrive, and an answer to leave.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs, and where their report is written.
pub struct Server {
    runs: Vec<PathBuf>,
    out: PathBuf,
    limits: Limits,
    listener: TcpListener,
    address: SocketAddr,
    /// Scores on the page that was written last.
    shown: Mutex<Option<usize>>,
    /// Length of each file of samples, and the lines in it.
    counted: Mutex<HashMap<PathBuf, (u64, usize)>>,
}

/// How far the runs are, as the page asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Cells of the plans.
    pub cells: usize,
    /// Cells with a score.
    pub scored: usize,
    /// Completions drawn.
    pub texts: usize,
    /// Completions of the plans.
    pub texts_planned: usize,
    /// Whether all cells have a score.
    pub done: bool,
    /// In a sentence.
    pub words: String,
}

impl Server {
    /// Listens on `port` of 127.0.0.1, on any free one for 0.
    ///
    /// # Errors
    ///
    /// A folder that is no run; a port that is taken or may not be used.
    pub fn bind(
        runs: &[PathBuf],
        out: &Path,
        limits: Limits,
        port: u16,
    ) -> Result<Self, PublishError> {
        for run in runs {
            let path = || run.display().to_string();
            let record = RunFolder::new(run).record().map_err(ReadError::from)?;
            record.ok_or_else(|| ReadError::NotARun { path: path() })?;
        }
        let taken = |source: io::Error| PublishError::Port { port, what: source.to_string() };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let (shown, counted) = (Mutex::default(), Mutex::default());
        Ok(Self { runs: runs.into(), out: out.into(), limits, listener, address, shown, counted })
    }

    /// Where the page is.
    pub fn url(&self) -> String {
        format!("http://{}/report.html", self.address)
    }

    /// Answers requests until the process ends.
    pub fn run(&self) {
        std::thread::scope(|scope| {
            for stream in self.listener.incoming().flatten() {
                // A reader who hangs up is no fault.
                scope.spawn(move || drop(self.answer(&stream)));
            }
        });
    }

    fn answer(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut lines = BufReader::new(stream.take(MOST_HEAD)).lines();
        let request = lines.next().unwrap_or(Ok(String::new()))?;
        let mut host = String::new();
        for line in lines {
            let line = line?;
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("host") => {
                    host = value.trim().to_owned();
                }
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        let mut words = request.split(' ');
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        // Another site's name that leads here is refused: its pages must not read this one.
        let port = self.address.port();
        let own = [format!("127.0.0.1:{port}"), format!("localhost:{port}")].contains(&host);
        let (status, kind, body) = match method {
            "GET" | "HEAD" if own => self.found(target.split(['?', '#']).next().unwrap_or("")),
            "GET" | "HEAD" => plain("403 Forbidden", "this report is read from 127.0.0.1 alone"),
            _ => plain("405 Method Not Allowed", "a report is only read"),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        let mut stream = stream;
        stream.write_all(head.as_bytes())?;
        if method != "HEAD" {
            stream.write_all(&body)?;
        }
        stream.flush()
    }

    fn found(&self, path: &str) -> (&'static str, &'static str, Vec<u8>) {
        const OK: &str = "200 OK";
        match path.trim_start_matches('/') {
            "" | "report.html" => match self.page() {
                Ok(page) => (OK, "text/html; charset=utf-8", page),
                Err(error) => plain("500 Internal Server Error", &error.to_string()),
            },
            "progress.json" => {
                let told = serde_json::to_vec(&self.told()).unwrap_or_default();
                (OK, "application/json", told)
            }
            // Browsers ask for it unasked; an empty answer is no error in their consoles.
            "favicon.ico" => ("204 No Content", "image/x-icon", Vec::new()),
            path => match self.file(path).and_then(|file| fs::read(file).ok()) {
                Some(bytes) => (OK, kind(path), bytes),
                None => plain("404 Not Found", "the report has no such file"),
            },
        }
    }

    /// A file of the report, and of nothing else that lies in its folder.
    fn file(&self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        let mut parts = path.components().map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        });
        let known = match (parts.next()??, parts.next(), parts.next()) {
            ("figures" | "texts", Some(Some(_)), None) => true,
            (name, None, None) => name.starts_with("results"),
            _ => false,
        };
        let file = self.out.join(path);
        // A link may lead out of the folder.
        let plain = known && fs::symlink_metadata(&file).is_ok_and(|found| found.is_file());
        plain.then_some(file)
    }

    /// The page of the scores there are now, written anew where some came since.
    fn page(&self) -> Result<Vec<u8>, PublishError> {
        let told = self.told();
        let mut shown = self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.out.join("report.html");
        if *shown != Some(told.scored) {
            match publish(&self.runs, &self.out, self.limits) {
                Ok(_) => *shown = Some(told.scored),
                Err(PublishError::Read(ReadError::NoScores { .. })) if !told.done => {
                    return Ok(waiting(&told.words).into_bytes());
                }
                Err(error) => return Err(error),
            }
        }
        let page = fs::read_to_string(&path).map_err(|source| PublishError::Served {
            path: path.display().to_string(),
            what: source.to_string(),
        })?;
        // A run that is whole is not asked about.
        let live = if told.done { "" } else { "<meta name=\"llmpr-live\" content=\"1\">" };
        Ok(page
            .replacen("<meta name=\"generator\"", &format!("{live}<meta name=\"generator\""), 1)
            .into_bytes())
    }

    /// How far the runs are.
    pub fn told(&self) -> Told {
        let (mut cells, mut scored, mut texts, mut planned) = (0, 0, 0, 0);
        let mut counted = self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for run in &self.runs {
            let folder = RunFolder::new(run);
            let Ok(Some(record)) = folder.record() else { continue };
            cells += record.cells.len();
            planned += record.cells.len() * record.shared.n_samples;
            for id in &record.cells {
                scored += usize::from(folder.cell(id, "scores.json").is_file());
                texts += lines(&mut counted, folder.cell(id, "samples.jsonl"));
            }
        }
        let texts = texts.min(planned);
        let done = cells > 0 && scored >= cells;
        let words =
            format!("{scored} of {cells} cells are scored, {texts} of {planned} texts are drawn.");
        Told { cells, scored, texts, texts_planned: planned, done, words }
    }
}

/// Lines of a file, counted again only where it has grown.
fn lines(counted: &mut HashMap<PathBuf, (u64, usize)>, path: PathBuf) -> usize {
    let length = fs::metadata(&path).map_or(0, |found| found.len());
    match counted.get(&path) {
        Some((known, lines)) if *known == length => *lines,
        _ => {
            let bytes = fs::read(&path).unwrap_or_default();
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
            counted.insert(path, (length, lines));
            lines
        }
    }
}

fn plain(status: &'static str, words: &str) -> (&'static str, &'static str, Vec<u8>) {
    (status, "text/plain; charset=utf-8", format!("{words}\n").into_bytes())
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        Some("csv") => "text/csv; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::folder::{Shared, tests::shared};

    #[test]
    fn a_run_is_done_when_all_its_cells_are_scored_and_its_texts_are_counted_as_they_come() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(dir.path());
        let mut record = folder.begin(&Shared { n_samples: 3, ..shared() }).unwrap();
        record.cells = ["a", "b"].map(str::to_owned).to_vec();
        folder.write(&record).unwrap();
        let runs = [dir.path().to_owned()];
        let server = Server::bind(&runs, dir.path(), Limits::default(), 0).unwrap();
        let told = |cells: [(&str, usize, bool); 2]| {
            for (id, texts, is_scored) in cells {
                fs::create_dir_all(folder.cell(id, "")).unwrap();
                fs::write(folder.cell(id, "samples.jsonl"), "{}\n".repeat(texts)).unwrap();
                if is_scored {
                    fs::write(folder.cell(id, "scores.json"), "{}").unwrap();
                }
            }
            server.told()
        };
        let begun = told([("a", 2, false), ("b", 0, false)]);
        assert_eq!((begun.scored, begun.texts, begun.done), (0, 2, false));
        assert_eq!(begun.words, "0 of 2 cells are scored, 2 of 6 texts are drawn.");
        let half = told([("a", 3, true), ("b", 1, false)]);
        assert_eq!((half.scored, half.texts, half.done), (1, 4, false));
        let whole = told([("a", 3, true), ("b", 3, true)]);
        assert_eq!((whole.cells, whole.scored, whole.texts, whole.texts_planned), (2, 2, 6, 6));
        assert!(whole.done, "{whole:?}");
    }

    #[test]
    fn a_file_is_sent_as_what_its_name_says() {
        for (path, is) in [
            ("/figures/plane.svg", "image/svg+xml"),
            ("/results.csv", "text/csv; charset=utf-8"),
            ("/progress.json", "application/json"),
            ("/figures/plane.png", "image/png"),
            ("/texts.parquet", "application/octet-stream"),
        ] {
            assert_eq!(kind(path), is, "{path}");
        }
    }

    #[test]
    fn what_is_refused_is_said_in_plain_words() {
        let said = ("403 Forbidden", "text/plain; charset=utf-8", b"not here\n".to_vec());
        assert_eq!(plain("403 Forbidden", "not here"), said);
    }
}
