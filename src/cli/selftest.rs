//! `llmpr selftest`: the measures against known answers, as a table.

use crate::{
    metric::selftest::{Check, closed_forms, sanity_panel},
    report::score::number,
};

/// Arguments of `llmpr selftest`.
#[derive(clap::Args)]
pub struct Args {
    /// Seed of the clouds of the sanity panel
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Leave out the sanity panel, which takes seconds
    #[arg(long)]
    closed_forms_only: bool,
}

/// Runs every check, prints the table, and fails when one does.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut checks = closed_forms();
    if !args.closed_forms_only {
        checks.extend(sanity_panel(args.seed)?);
    }
    super::to_stdout(&table(&checks))?;
    let failed = checks.iter().filter(|check| !check.passed()).count();
    if failed > 0 {
        anyhow::bail!("{failed} of {} checks failed", checks.len());
    }
    Ok(())
}

fn table(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.measure.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    let mut case = "";
    for check in checks {
        if check.case != case {
            case = check.case;
            out += &format!("{case}\n");
        }
        let verdict = if check.passed() { "ok" } else { "FAILED" };
        let (got, expected) = (number(check.got), number(check.expected));
        let padding = " ".repeat(width - check.measure.chars().count());
        out += &format!(
            "  {verdict:6}  {}{padding}  {got:>10}  expected {expected:>10} ± {}\n",
            check.measure,
            number(check.allowed)
        );
    }
    let passed = checks.iter().filter(|check| check.passed()).count();
    out + &format!("{passed} of {} checks passed\n", checks.len())
}
