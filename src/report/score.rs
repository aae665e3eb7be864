//! A score for a terminal and for a spreadsheet.

use std::fmt::Write as _;

use super::number::{exact, number};
use crate::{
    metric::{
        curve::{MAX_F1_8_PRECISION, MAX_F8_RECALL},
        divergence::TV,
        extrapolated::{MODES_REACHED, RECALL_EXTRAPOLATED},
        frontier::{FRONTIER_INTEGRAL, MAUVE},
        prdc::{COVERAGE, DENSITY, PRECISION, RECALL},
        reference_nll::OF_LIKELIHOODS,
        spec::Spec,
    },
    score::{
        catalog,
        record::{Estimate, Score},
    },
};

/// The measures of a summary: the two questions by balls, the second also as more texts would answer it, and both robust
/// to outliers; both at once as papers report it and without an exponent to choose; the two ends of the PR-curve.
const FIRST: [&Spec; 10] = [
    &PRECISION,
    &RECALL,
    &MODES_REACHED,
    &RECALL_EXTRAPOLATED,
    &DENSITY,
    &COVERAGE,
    &MAUVE,
    &FRONTIER_INTEGRAL,
    &MAX_F8_RECALL,
    &MAX_F1_8_PRECISION,
];

/// A score as a table: measures by family with interval, ceiling and p-value, how they move with the
/// number of rows, then warnings, then the signature. `styled` puts family names in bold for a terminal.
pub fn table(score: &Score, styled: bool) -> String {
    let names: Vec<&str> = score.metrics.keys().map(String::as_str).collect();
    written(score, &names, &enough, styled)
}

/// The ten measures of a [`table`] that matter first, with warnings and signature. Where a score lacks some
/// of them, others stand for them in the order of the table. How a model fits the reference, which is read only where
/// that is asked for, is always shown.
pub fn summary(score: &Score, styled: bool) -> String {
    written(score, &first(score), &|_, _| String::new(), styled)
}

/// What stands between the measures and the warnings; the second argument puts text in bold.
type Between<'a> = &'a dyn Fn(&Score, &dyn Fn(&str) -> String) -> String;

fn written(score: &Score, names: &[&str], between: Between<'_>, styled: bool) -> String {
    let bold = |text: &str| {
        if styled { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    };
    let name_width = names.iter().map(|name| name.len()).max().unwrap_or(0).max(9);
    let mut out = sizes(score);
    let header = format!(
        "\n{:name_width$}  {:>9}  {:>19}  {:>9}  {:>7}\n",
        "  measure",
        "value",
        "95 % interval",
        "ceiling",
        "p",
        name_width = name_width + 2
    );
    out.push_str(&header);
    let mut family = None;
    for name in names {
        let estimate = &score.metrics[*name];
        let of = catalog::family(name);
        if family != Some(of) {
            let _ = writeln!(out, "{}", bold(of.name()));
            family = Some(of);
        }
        let Estimate { value, low, high, ceiling, p_value } = estimate;
        let interval = match (low, high) {
            (Some(low), Some(high)) => format!("{} … {}", number(*low), number(*high)),
            _ => String::new(),
        };
        let line = format!(
            "  {name:name_width$}  {:>9}  {interval:>19}  {:>9}  {:>7}",
            number(*value),
            ceiling.map(number).unwrap_or_default(),
            p_value.map(p).unwrap_or_default(),
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push_str(&between(score, &bold));
    if !score.warnings.is_empty() {
        let _ = writeln!(out, "{}", bold("warnings"));
        for warning in &score.warnings {
            let text = format!("{}: {}", warning.code, warning.message);
            let _ = writeln!(out, "{}", wrapped(&text, 96));
        }
    }
    let more = match score.metrics.len() - names.len() {
        0 => String::new(),
        more => format!("{more} more measures: --all, --format csv or --format json.\n"),
    };
    let _ = write!(
        out,
        "\ninterval: of sampling; it says nothing of bias. ceiling: what the reference scores against \
         itself at\nthese sizes. p: share of random exchanges of the two labels that are at least as \
         extreme.\n{more}{}\n",
        score.signature
    );
    out
}

/// The measures of a summary, in the order of the score.
pub fn first(score: &Score) -> Vec<&str> {
    let names = || score.metrics.keys().map(String::as_str);
    let first = |name: &str| FIRST.iter().any(|spec| spec.name == name);
    let is_read =
        |name: &str| catalog::spec(name).is_some_and(|(spec, _)| OF_LIKELIHOODS.contains(&spec));
    let chosen: Vec<&str> = names().filter(|name| first(name)).collect();
    let rest = names().filter(|name| !first(name) && !is_read(name));
    let rest = rest.take(FIRST.len() - chosen.len());
    let chosen: Vec<&str> = chosen.into_iter().chain(rest).collect();
    names().filter(|name| chosen.contains(name) || is_read(name)).collect()
}

/// A score as CSV: `metric,family,value,low,high,ceiling,p_value`, empty where there is none.
pub fn csv(score: &Score) -> String {
    let mut out = String::from("metric,family,value,low,high,ceiling,p_value\n");
    let option = |value: Option<f64>| value.map(exact).unwrap_or_default();
    for (name, estimate) in &score.metrics {
        let Estimate { value, low, high, ceiling, p_value } = *estimate;
        let cells = [Some(value), low, high, ceiling, p_value].map(option).join(",");
        let _ = writeln!(out, "{name},{},{cells}", catalog::family(name).name());
    }
    out
}

/// Measures at fewer rows or tokens, which say whether more would still move them.
fn enough(score: &Score, bold: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    let block = |out: &mut String, title: &str, names: &[&str], rows: Vec<(usize, Vec<f64>)>| {
        let _ = writeln!(out, "{}", bold(title));
        let heads: String = names.iter().map(|name| format!("  {name:>9}")).collect();
        let _ = writeln!(out, "  {:>8}{heads}", "");
        for (at, values) in rows {
            let cells: String =
                values.iter().map(|value| format!("  {:>9}", number(*value))).collect();
            let _ = writeln!(out, "  {at:>8}{cells}");
        }
    };
    if let Some(curve) = score.curves.by_size.as_ref().filter(|curve| curve.samples.len() > 1) {
        let rows = curve.samples.iter().enumerate().map(|(i, &m)| {
            let of = [&curve.precision, &curve.recall, &curve.density, &curve.coverage];
            (m, of.map(|column| column[i]).to_vec())
        });
        let names = [&PRECISION, &RECALL, &DENSITY, &COVERAGE].map(|spec| spec.name);
        block(&mut out, "with so many rows of each side", &names, rows.collect());
    }
    if let Some(growth) = score.curves.growth.as_ref().filter(|growth| growth.texts.len() > 1) {
        let rows = growth.texts.iter().zip(&growth.coverage).map(|(&m, &c)| (m, vec![c]));
        // A tenth, two, half and all of the samples are enough to see the bend.
        let shown = rows.enumerate().filter(|(i, _)| [0, 1, 4, 9].contains(i)).map(|(_, row)| row);
        block(
            &mut out,
            "coverage of the whole reference by so many samples",
            &[COVERAGE.name],
            shown.collect(),
        );
        if let Some(reachable) = growth.reachable {
            let _ = writeln!(out, "  any number: at least {}", number(reachable));
        }
    }
    if let Some(prefix) = &score.curves.prefix {
        let rows = prefix.tokens.iter().enumerate().map(|(i, &tokens)| {
            (tokens, [&prefix.tv, &prefix.precision, &prefix.recall].map(|of| of[i]).to_vec())
        });
        block(
            &mut out,
            "of the first so many tokens",
            &[&TV, &PRECISION, &RECALL].map(|spec| spec.name),
            rows.collect(),
        );
    }
    out
}

fn sizes(score: &Score) -> String {
    let side = |facts: &crate::score::record::SetFacts| {
        let repeated = facts.n - facts.unique.min(facts.n);
        let distinct = match repeated {
            0 => String::new(),
            _ => format!(", {} distinct", facts.unique),
        };
        if facts.dim == 0 {
            format!("{} rows{distinct}", facts.n)
        } else {
            format!("{} × {}{distinct}", facts.n, facts.dim)
        }
    };
    let mut out = format!("reference {}; samples {}", side(&score.reference), side(&score.samples));
    if let Some(pca) = &score.pca {
        let share = 100.0 * pca.explained;
        let _ = write!(out, "; {} components hold {share:.1} % of the variance", pca.components);
    }
    out.push('\n');
    out
}

/// `text` in lines of at most `width` characters, the first indented by two, the others by four.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::from(" ");
    let mut used = 1;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used + 1 + length > width && used > 4 {
            out.push_str("\n   ");
            used = 3;
        }
        out.push(' ');
        out.push_str(word);
        used += 1 + length;
    }
    out
}

/// A p-value.
pub(super) fn p(value: f64) -> String {
    if value < 0.001 { "<0.001".to_owned() } else { format!("{value:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{
        record::{Curves, PcaFacts, SCHEMA, SetFacts, Warning},
        warnings::Code,
    };

    fn score() -> Score {
        let full = Estimate {
            value: 0.61234,
            low: Some(0.59),
            high: Some(0.63),
            ceiling: Some(0.64),
            p_value: Some(0.0005),
        };
        Score {
            schema: SCHEMA.to_owned(),
            signature: "llmpr:0.1.0|k:4".to_owned(),
            reference: SetFacts { n: 10, dim: 3, unique: 10 },
            samples: SetFacts { n: 10, dim: 3, unique: 7 },
            pca: Some(PcaFacts { components: 2, explained: 0.9512 }),
            metrics: [
                ("precision".to_owned(), full),
                ("kl".to_owned(), Estimate::bare(f64::INFINITY)),
                ("chi2".to_owned(), Estimate::bare(f64::NAN)),
            ]
            .into_iter()
            .collect(),
            curves: Curves::default(),
            warnings: vec![Warning { code: Code::Duplicates, message: "three rows".into() }],
        }
    }

    #[test]
    fn a_table_reads_from_sizes_to_signature() {
        insta::assert_snapshot!(table(&score(), false), @r"
        reference 10 × 3; samples 10 × 3, 7 distinct; 2 components hold 95.1 % of the variance

          measure        value        95 % interval    ceiling        p
        support
          precision     0.6123      0.5900 … 0.6300     0.6400   <0.001
        divergence
          kl               inf
          chi2               –
        warnings
          duplicates: three rows

        interval: of sampling; it says nothing of bias. ceiling: what the reference scores against itself at
        these sizes. p: share of random exchanges of the two labels that are at least as extreme.
        llmpr:0.1.0|k:4
        ");
    }

    #[test]
    fn a_summary_shows_ten_measures_and_says_where_the_others_are() {
        let mut all = score();
        let measured = catalog::specs().map(|spec| (spec.name.to_owned(), Estimate::bare(0.5)));
        all.metrics = measured.collect();
        let text = summary(&all, false);
        let rows = |text: &str| -> Vec<String> {
            let names = text.lines().filter_map(|line| line.split_whitespace().next());
            names.filter(|name| all.metrics.contains_key(*name)).map(str::to_owned).collect()
        };
        let mut first = FIRST.map(|spec| spec.name.to_owned()).to_vec();
        let mut shown = rows(&text);
        first.sort();
        shown.sort();
        assert_eq!(shown, first, "{text}");
        let more = format!("{} more measures: --all,", all.metrics.len() - 10);
        assert!(text.contains(&more) && text.lines().count() < 27, "{text}");
        assert_eq!(rows(&table(&all, false)).len(), all.metrics.len());
        // Where the ten are not, others stand for them.
        all.metrics.retain(|name, _| !FIRST.iter().any(|spec| spec.name == name));
        let text = summary(&all, false);
        assert!(text.contains("comp_precision") && text.contains("more measures"), "{text}");
    }

    #[test]
    fn a_spreadsheet_has_infinity_as_a_word_and_the_undefined_empty() {
        insta::assert_snapshot!(csv(&score()), @r"
        metric,family,value,low,high,ceiling,p_value
        precision,support,0.61234,0.59,0.63,0.64,0.0005
        kl,divergence,inf,,,,
        chi2,divergence,,,,,
        ");
    }
}
