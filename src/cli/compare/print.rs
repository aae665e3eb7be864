//! Differences for people and for spreadsheets.

use super::{
    Form,
    base::SHOWN,
    difference::{Difference, LEVEL},
    ranks::{self, Agreement},
};
use crate::report::{
    markdown::{self, escaped},
    number::{exact, number},
};

/// Differences by pair, with notes on how they were made.
pub fn table(differences: &[Difference]) -> String {
    let width = differences.iter().map(|d| d.metric.len()).max().unwrap_or(0);
    let mut out = String::new();
    let mut pair = String::new();
    for d in differences {
        let now = format!("{} against {}", d.second, d.first);
        if now != pair {
            out += &format!(
                "{now}\n  {:width$}  {:>9}  {:>9}  {:>10}  {:>21}  {:>6}  {:>6}  {:>6}  shown\n",
                "measure", "first", "second", "difference", "95 % interval", "p", "Holm", "BH"
            );
            pair = now;
        }
        let [p, holm, bh] = p_values(d);
        let line = format!(
            "  {:width$}  {:>9}  {:>9}  {:>10}  {:>21}  {p:>6}  {holm:>6}  {bh:>6}  {}",
            d.metric,
            number(d.a),
            number(d.b),
            number(d.difference),
            interval(d),
            verdict(d)
        );
        out += line.trim_end();
        out.push('\n');
    }
    out + &notes(differences).join("\n") + "\n"
}

/// The same as a table of Markdown.
pub fn markdown(differences: &[Difference]) -> String {
    let mut out = String::new();
    let mut pair = String::new();
    for d in differences {
        let now = format!("**{}** against **{}**", escaped(&d.second), escaped(&d.first));
        if now != pair {
            let gap = if out.is_empty() { "" } else { "\n" };
            out += &format!(
                "{gap}{now}\n\n| measure | first | second | difference | 95 % interval | p | Holm | BH | shown |\n\
                 |---|---:|---:|---:|---:|---:|---:|---:|---|\n"
            );
            pair = now;
        }
        let [p, holm, bh] = p_values(d);
        out += &format!(
            "| {} | {} | {} | {} | {} | {p} | {holm} | {bh} | {} |\n",
            escaped(&d.metric),
            number(d.a),
            number(d.b),
            number(d.difference),
            interval(d),
            verdict(d)
        );
    }
    out.push('\n');
    out + &notes(differences).join("\n") + "\n"
}

/// A table a model, a row a setting; in Markdown, or with columns that line up.
pub fn models(
    tables: &[(String, Vec<Vec<String>>)],
    differences: &[Difference],
    in_markdown: bool,
) -> String {
    let mut out = String::new();
    for (title, rows) in tables {
        out += &match in_markdown {
            true => format!("**{}**\n\n{}\n", escaped(title), markdown::table(rows, 1)),
            false => format!("{title}\n{}", aligned(rows, 1)),
        };
    }
    out + &format!("{}: the difference is shown\n{}\n", SHOWN.trim(), notes(differences).join("\n"))
}

/// How alike runs order the cells, in that form.
pub fn agreements(agreements: &[Agreement], form: Form) -> anyhow::Result<String> {
    let (rows, notes) = (ranks::rows(agreements), ranks::notes(agreements).join("\n"));
    Ok(match form {
        Form::Json => serde_json::to_string_pretty(agreements)? + "\n",
        Form::Markdown => format!("{}\n{notes}\n", markdown::table(&rows, 2)),
        Form::Table => format!("{}{notes}\n", aligned(&rows, 2)),
        Form::Csv => {
            let mut out = String::from("metric,first,second,cells,kendall,spearman,differs_in\n");
            for of in agreements {
                let [first, second] = [&of.first, &of.second].map(|name| quoted(name));
                let [kendall, spearman] = [of.kendall, of.spearman].map(exact);
                let differs = quoted(&of.differs_in.join("; "));
                out += &format!(
                    "{},{first},{second},{},{kendall},{spearman},{differs}\n",
                    of.metric, of.cells
                );
            }
            out
        }
    })
}

/// Rows whose columns line up, those from `right` on at the right.
fn aligned(rows: &[Vec<String>], right: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
            if at < right { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        out += &format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    out
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn interval(d: &Difference) -> String {
    match (d.low, d.high) {
        (Some(low), Some(high)) => format!("{} … {}", number(low), number(high)),
        _ => String::new(),
    }
}

/// As they are, by Holm, by Benjamini and Hochberg.
fn p_values(d: &Difference) -> [String; 3] {
    let word = |p: f64| if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") };
    [d.p_value, d.p_holm, d.p_benjamini_hochberg].map(|p| p.map(word).unwrap_or_default())
}

/// `yes`, or from which difference on it would be.
fn verdict(d: &Difference) -> String {
    match (d.shown, d.smallest_shown) {
        (Some(true), _) => "yes".to_owned(),
        (Some(false), Some(smallest)) => format!("no, from {}", number(smallest)),
        (Some(false), None) => "no".to_owned(),
        (None, _) => String::new(),
    }
}

/// How the intervals were made and what is shown.
fn notes(differences: &[Difference]) -> Vec<String> {
    let (all, paired) = (differences.len(), differences.iter().filter(|d| d.paired).count());
    let how = match paired {
        0 => {
            "intervals as if the two were independent: there are no features to pair them by".into()
        }
        _ if paired == all => {
            "paired: both seen with the same halves of reference and prompts".into()
        }
        _ => format!("{paired} of {all} paired; the others as if the two were independent"),
    };
    let asked = differences.iter().filter(|d| d.shown.is_some()).count();
    let shown = differences.iter().filter(|d| d.shown == Some(true)).count();
    let mut out = vec![how];
    if asked > 0 {
        out.push(format!(
            "shown: {shown} of {asked}, Holm's p-value below {LEVEL}; Holm and BH (Benjamini-Hochberg) are corrected \
             for the {asked} asked here"
        ));
    }
    if shown < asked {
        out.push(
            "no: no difference is shown, which is not that there is none; one as large as named would have been \
             in four of five repetitions"
                .to_owned(),
        );
    }
    out
}

/// A line a difference.
pub fn csv(differences: &[Difference]) -> String {
    let mut out = String::from(
        "first,second,metric,a,b,difference,low,high,p_value,paired,p_holm,p_benjamini_hochberg,shown,smallest_shown,differs_in\n",
    );
    for d in differences {
        let numbers = [Some(d.a), Some(d.b), Some(d.difference), d.low, d.high, d.p_value];
        let numbers = numbers.map(|value| value.map(exact).unwrap_or_default()).join(",");
        let (first, second) = (quoted(&d.first), quoted(&d.second));
        let further = [d.p_holm, d.p_benjamini_hochberg].map(|p| p.map(exact).unwrap_or_default());
        let shown = d.shown.map(|shown| shown.to_string()).unwrap_or_default();
        let smallest = d.smallest_shown.map(exact).unwrap_or_default();
        let differs = quoted(&d.differs_in.join("; "));
        out += &format!(
            "{first},{second},{},{numbers},{},{},{shown},{smallest},{differs}\n",
            d.metric,
            d.paired,
            further.join(","),
        );
    }
    out
}
