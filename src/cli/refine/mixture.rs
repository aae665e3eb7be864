//! `llmpr refine --mixture`: the settings of a run mixed onto the best PR-curve.

use std::{fmt::Write, path::Path};

use crate::{
    cli::flags::OutFlag,
    report::number::number,
    run::mixture::{MixedPoint, Mixing, Part, mix},
};

/// Finds the mixtures and prints them.
pub fn run(run: &Path, seed: u64, json: bool, out: &OutFlag) -> anyhow::Result<()> {
    let found = mix(run, seed)?;
    out.write(&match json {
        true => serde_json::to_string_pretty(&found)? + "\n",
        false => table(&found),
    })
}

fn table(found: &Mixing) -> String {
    let Mixing { references, cells, bins, splits, points, .. } = found;
    let mut out = format!(
        "{cells} cells, {references} references, {bins} bins; fitted to half of the texts and measured on the other \
         half, mean of {splits} such splits\n  {:>6}  {:>19}  {:>19}  {:>11}\n  {:>6}  {:>9} {:>9}  {:>9} {:>9}  \
         {:>11}\n",
        "",
        "mixture",
        "best single setting",
        "mixture",
        "λ",
        "predicted",
        "measured",
        "predicted",
        "measured",
        "above in"
    );
    for of in points {
        let values = [of.predicted, of.measured, of.single_predicted, of.single_measured];
        let [predicted, measured, alone, alone_measured] = values.map(number);
        let better = format!("{} of {splits}", of.better);
        let _ = writeln!(
            out,
            "  {:>6}  {predicted:>9} {measured:>9}  {alone:>9} {alone_measured:>9}  {better:>11}",
            of.lambda
        );
    }
    out += "α at slope λ (β = α/λ): large λ ask for precision, small ones for recall\n";
    let holds = |of: &&MixedPoint| 10 * of.better >= 9 * splits;
    let held: Vec<String> = points.iter().filter(holds).map(|of| of.lambda.to_string()).collect();
    out += &match held.as_slice() {
        [] => "on texts that were held back the mixture is above the best single setting in nine of ten splits at no \
               slope: take the single setting\n"
            .to_owned(),
        held => format!(
            "on texts that were held back the mixture is above the best single setting in nine of ten splits at λ = {}; \
             elsewhere take the single setting\n",
            held.join(", ")
        ),
    };
    let mut last: Option<&MixedPoint> = None;
    for of in points {
        let same = last.is_some_and(|last| last.parts == of.parts);
        let parts = of.parts.iter().map(Part::words);
        let parts = if same { "the same".to_owned() } else { parts.collect::<Vec<_>>().join(", ") };
        let _ = writeln!(out, "λ = {}: {parts}; of single settings {}", of.lambda, of.single);
        last = Some(of);
    }
    out
}
