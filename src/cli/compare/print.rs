//! Differences for people and for spreadsheets.

use super::difference::Difference;
use crate::report::number::{exact, number};

/// Differences by pair, with notes on how they were made.
pub fn table(differences: &[Difference]) -> String {
    let width = differences.iter().map(|d| d.metric.len()).max().unwrap_or(0);
    let mut out = String::new();
    let mut pair = String::new();
    for d in differences {
        let now = format!("{} against {}", d.second, d.first);
        if now != pair {
            out += &format!(
                "{now}\n  {:width$}  {:>9}  {:>9}  {:>10}  {:>21}  {:>7}\n",
                "measure", "first", "second", "difference", "95 % interval", "p"
            );
            pair = now;
        }
        let interval = match (d.low, d.high) {
            (Some(low), Some(high)) => format!("{} … {}", number(low), number(high)),
            _ => String::new(),
        };
        let p = d.p_value.map(|p| if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") });
        let line = format!(
            "  {:width$}  {:>9}  {:>9}  {:>10}  {interval:>21}  {:>7}",
            d.metric,
            number(d.a),
            number(d.b),
            number(d.difference),
            p.unwrap_or_default()
        );
        out += line.trim_end();
        out.push('\n');
    }
    out + &notes(differences)
}

/// How the intervals were made, and how many small p-values chance alone would give.
fn notes(differences: &[Difference]) -> String {
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
    let tested = differences.iter().filter_map(|d| d.p_value).collect::<Vec<f64>>();
    let small = tested.iter().filter(|p| **p < 0.05).count();
    let by_chance = match tested.len() {
        0..20 => String::new(),
        count => format!(
            "; {small} of {count} p-values are below 0.05, about {:.0} would be without any difference",
            0.05 * count as f64
        ),
    };
    format!("{how}{by_chance}\n")
}

/// A line a difference.
pub fn csv(differences: &[Difference]) -> String {
    let mut out = String::from("first,second,metric,a,b,difference,low,high,p_value,paired\n");
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for d in differences {
        let numbers = [Some(d.a), Some(d.b), Some(d.difference), d.low, d.high, d.p_value];
        let numbers = numbers.map(|value| value.map(exact).unwrap_or_default()).join(",");
        let (first, second) = (quoted(&d.first), quoted(&d.second));
        out += &format!("{first},{second},{},{numbers},{}\n", d.metric, d.paired);
    }
    out
}
