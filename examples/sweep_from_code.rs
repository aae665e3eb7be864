//! A sweep without the command line: `cargo run --release --example sweep_from_code`
//!
//! The bundled model writes biographies at three temperatures. Their true distribution is a grammar, so that
//! the exact values stand beside the estimates.

use std::{error::Error, path::Path};

use llmpr::{
    report::record::Results,
    run::{execute::run, progress::Quiet, settings::SweepSettings, signals::Stop, sweep::Sweep},
};

fn main() -> Result<(), Box<dyn Error>> {
    let results = swept(100, Path::new("runs/from-code"))?;
    println!("T    precision (exact)  recall (exact)");
    for cell in &results.cells {
        let (estimate, exact) = (&cell.score.metrics, &cell.truth);
        println!(
            "{:.1}  {:.2}      ({:.2})   {:.2}   ({:.2})",
            cell.cell.decoding.temperature,
            estimate["precision"].value,
            exact["precision"].value,
            estimate["recall"].value,
            exact["recall"].value,
        );
    }
    Ok(())
}

/// Draws `n` texts at each temperature, embeds and scores them. Called again with the same folder it goes
/// on where it was, and computes nothing twice.
pub fn swept(n: usize, folder: &Path) -> Result<Results, Box<dyn Error>> {
    let mut settings = SweepSettings::new("synthetic-bio", &["tiny-bio"]);
    settings.grid.temperatures = "0.3,0.8,1.3".parse()?;
    settings.grid.shots = 0.into();
    settings.n_samples = n;
    settings.out = folder.to_owned();

    let mut sweep = Sweep::plan(settings)?; // checks everything, writes nothing
    let outcome = run(&mut sweep, Vec::new(), &Stop::never(), &Quiet)?;
    outcome.results.ok_or_else(|| "nothing was scored".into())
}
