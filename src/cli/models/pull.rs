//! `llmpr models pull`.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    time::Instant,
};

use super::inspect::size;
use crate::{
    cli::Exit,
    lm::checkpoint::{
        hub::{Hub, HubId},
        source::{ModelSource, bundled_names},
    },
};

/// Arguments of `llmpr models pull`.
#[derive(clap::Args)]
pub struct Args {
    /// Models of the hub, [org/]name[@revision][/file.gguf], or files, hf:org/name[@revision]/path (of a data set;
    /// hf:models/org/name/path of a model)
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Fetches into the hub's cache and prints where everything lies; what fails does not keep the others.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let hub = Hub::from_env();
    let mut failed = Vec::new();
    for id in &args.ids {
        match pull(&hub, id) {
            Ok(path) => tell!("{}", path.display())?,
            Err(error) if args.ids.len() == 1 => return Err(error),
            Err(error) => {
                say!("llmpr: {error:#}");
                failed.push(format!("`{id}`"));
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let message = format!("not fetched: {}, each for what is said above", failed.join(", "));
    Err(Exit { code: 1, message }.into())
}

fn pull(hub: &Hub, text: &str) -> anyhow::Result<PathBuf> {
    if bundled_names().iter().any(|name| name == text)
        && let ModelSource::Folder(folder) = ModelSource::parse(text)?
    {
        say!("{text} comes with llmpr; there is nothing to fetch");
        return Ok(folder);
    }
    let file = || Some(HubId::parse_file(text)?.0);
    let Some(id) = HubId::parse(text).or_else(file) else {
        anyhow::bail!(
            "`{text}` is no id of the hub; write [org/]name[@revision][/file.gguf] for a model, \
             hf:org/name[@revision]/path for a file of a data set"
        );
    };
    let mut shown = Shown::new(std::io::stderr().is_terminal());
    let path = hub.pull(&id, &mut |name, have, all| shown.hear(name, have, all));
    shown.end();
    let path = path?;
    say!("{}", shown.summary(&id, hub.offline));
    Ok(id.file.as_ref().map_or(path.clone(), |file| path.join(file)))
}

/// What a person sees of the files that come in.
struct Shown {
    /// Whether a line can be written over.
    terminal: bool,
    file: String,
    began: Instant,
    /// Bytes of the file that were there before, and that are there now.
    before: u64,
    have: u64,
    said: Instant,
    files: usize,
    bytes: u64,
}

impl Shown {
    fn new(terminal: bool) -> Self {
        let now = Instant::now();
        let file = String::new();
        Self { terminal, file, began: now, before: 0, have: 0, said: now, files: 0, bytes: 0 }
    }

    fn hear(&mut self, name: &str, have: u64, all: Option<u64>) {
        let first = self.file != name;
        if first {
            self.end();
            self.files += 1;
            (self.before, self.have) = (have, have);
            name.clone_into(&mut self.file);
            self.began = Instant::now();
        }
        // Less than before: a part that was no beginning of the file.
        self.bytes += have.saturating_sub(self.have);
        self.have = have;
        let of = all.map_or_else(String::new, |all| format!(" of {}", size(all)));
        if !self.terminal {
            if first {
                let all = all.map_or_else(String::new, |all| format!(" ({})", size(all)));
                say!("{name}{all}");
            }
            return;
        }
        // Ten times a second is as much as anybody reads.
        if first || Some(have) == all || self.said.elapsed().as_millis() >= 100 {
            self.said = Instant::now();
            let seconds = self.began.elapsed().as_secs_f64();
            let came = have.saturating_sub(self.before) as f64;
            let rate = match seconds > 0.5 {
                true => format!(", {}/s", size((came / seconds) as u64)),
                false => String::new(),
            };
            let mut err = std::io::stderr();
            let _ = write!(err, "\r{name}: {}{of}{rate}\x1b[K", size(have));
            let _ = err.flush();
        }
    }

    /// Leaves the line of a file.
    fn end(&mut self) {
        if self.terminal && !std::mem::take(&mut self.file).is_empty() {
            say!();
        }
    }

    fn summary(&self, id: &HubId, offline: bool) -> String {
        match (self.files, offline) {
            (0, true) => format!("{id}: in the cache; nothing was asked, HF_HUB_OFFLINE is set"),
            (0, false) => format!("{id}: in the cache, and the hub has nothing newer"),
            (1, _) => format!("{id}: one file, {}", size(self.bytes)),
            (files, _) => format!("{id}: {files} files, {}", size(self.bytes)),
        }
    }
}
