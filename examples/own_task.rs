//! A task of one's own: `cargo run --release --example own_task`
//!
//! `examples/own_task.toml` asks for biographies and keeps their first sentences; `examples/own_task.jsonl`
//! holds people's texts, a JSON object a line. The same from the command line:
//! `llmpr sweep --task examples/own_task.toml --reference examples/own_task.jsonl --models tiny-bio --embedder tiny-gpt2`

use std::{error::Error, path::Path};

use llmpr::{
    report::record::Results,
    run::{execute::run, progress::Quiet, settings::SweepSettings, signals::Stop, sweep::Sweep},
};

fn main() -> Result<(), Box<dyn Error>> {
    let (prompt, results) = tried(Path::new("examples"), Path::new("runs/own-task"))?;
    println!("The model reads:\n\n{prompt}\n");
    for cell in &results.cells {
        let (t, measures) = (cell.cell.decoding.temperature, &cell.score.metrics);
        let (precision, recall) = (measures["precision"].value, measures["recall"].value);
        println!("T = {t}: precision {precision:.2}, recall {recall:.2}");
    }
    Ok(())
}

/// The first prompt, for the task's author to look at, and what the model's answers score.
pub fn tried(files: &Path, folder: &Path) -> Result<(String, Results), Box<dyn Error>> {
    let file = |name: &str| files.join(name).display().to_string();
    let mut settings = SweepSettings::new(&file("own_task.toml"), &["tiny-bio"]);
    settings.reference = Some(file("own_task.jsonl"));
    settings.embedder = "tiny-gpt2".to_owned();
    settings.grid.temperatures = "0.5,1".parse()?;
    settings.grid.shots = 2.into();
    settings.n_samples = 40;
    settings.out = folder.to_owned();

    let mut sweep = Sweep::plan(settings)?;
    let prompt = sweep.cells().next().map(|cell| cell.prompts.prompts[0].text.clone());
    let outcome = run(&mut sweep, Vec::new(), &Stop::never(), &Quiet)?;
    let results = outcome.results.ok_or("nothing was scored")?;
    Ok((prompt.unwrap_or_default(), results))
}
