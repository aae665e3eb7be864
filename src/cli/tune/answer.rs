//! What a race of settings came to, in words and as tables.

use crate::{
    report::{
        number::{exact, number},
        record::{CellResult, Results},
    },
    run::tune::{
        record::{Stands, TuneRecord},
        words::command,
    },
};

/// A setting or mixture and how it stands.
struct Row<'a> {
    id: String,
    label: &'a str,
    stands: &'a Stands,
}

/// Settings and mixtures, what was found first and then the likeliest.
fn rows(record: &TuneRecord) -> Vec<Row<'_>> {
    let single = record.cells.iter().map(|cell| Row {
        id: cell.cell.id.clone(),
        label: &cell.label,
        stands: &cell.stands,
    });
    let mixed = record.mixtures.iter().map(|mixture| Row {
        id: mixture.parts.iter().map(|part| part.cell.as_str()).collect::<Vec<_>>().join("+"),
        label: &mixture.label,
        stands: &mixture.stands,
    });
    let mut rows: Vec<Row<'_>> = single.chain(mixed).collect();
    let found = record.found();
    rows.sort_by(|a, b| {
        let is_found = |row: &Row<'_>| found.is_some_and(|found| std::ptr::eq(found, row.stands));
        is_found(b).cmp(&is_found(a)).then(b.stands.best.total_cmp(&a.stands.best))
    });
    rows
}

pub(super) fn json(record: &TuneRecord) -> anyhow::Result<String> {
    let mut json = serde_json::to_value(record)?;
    let first = record.cells.first().map(|cell| command(&cell.cell));
    json["command"] = first.unwrap_or_default().into();
    if record.mixture().is_some() {
        let lines = record.commands().into_iter().map(|(_, line)| line);
        json["commands"] = lines.collect::<Vec<_>>().into();
    }
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

pub(super) fn table(record: &TuneRecord, results: &Results, top: usize) -> String {
    let rows = rows(record);
    let Some((Row { label, stands, .. }, others)) = rows.split_first() else {
        return String::new();
    };
    let mixture = record.mixture();
    let mut out = format!("{label}\n");
    out += &format!("  {}\n", record.reaches(stands));
    out += &match mixture {
        None => {
            let id = &record.cells[0].cell.id;
            let scored = results.cells.iter().find(|cell| cell.cell.id == *id);
            scored.map(measured).unwrap_or_default()
        }
        Some(_) => {
            let line = |(name, &value): (&String, &f64)| {
                format!("  {name} {} on {} texts of its parts\n", number(value), stands.texts)
            };
            stands.measures.iter().map(line).collect()
        }
    };
    out += &format!("  {}\n", record.chances(stands));
    if let Some(mixed) = record.over_singles() {
        out += &format!("  {mixed}\n");
    }
    out += &format!("{}\n", record.cost());
    if !record.settled {
        out += &format!(
            "more texts may settle it: --budget {} goes on, or --within {} counts more settings as alike\n",
            record.budget * 2,
            number((2.0 * record.within).max(0.02)),
        );
    }
    if !others.is_empty() && top > 1 {
        out += "   best  alike  keeps  texts  goal with all texts\n";
    }
    for Row { label, stands, .. } in others.iter().take(top.max(1) - 1) {
        out += &format!(
            "  {:>5.2}  {:>5.2}  {:>5.2}  {:>5}  {} ({} … {})  {label}\n",
            stands.best,
            stands.alike,
            stands.keeps,
            stands.texts,
            number(stands.goal),
            number(stands.low),
            number(stands.high),
        );
    }
    for (part, line) in record.commands() {
        out += &match part {
            None => format!("settings of the first: {line}\n"),
            Some(share) => format!("{:.0} %: {line}\n", 100.0 * share),
        };
    }
    out
}

/// What the leader's score says, with intervals that count the choice of the reference, too.
fn measured(cell: &CellResult) -> String {
    let line = |(name, estimate): (&String, &crate::score::record::Estimate)| {
        let interval = match (estimate.low, estimate.high) {
            (Some(low), Some(high)) => format!("  {} … {}", number(low), number(high)),
            _ => String::new(),
        };
        let exact = cell.truth.get(name).map(|exact| format!(", exactly {}", number(exact.value)));
        let exact = exact.unwrap_or_default();
        format!("  {name} {}{interval}{exact}\n", number(estimate.value))
    };
    cell.score.metrics.iter().map(line).collect()
}

pub(super) fn csv(record: &TuneRecord) -> String {
    let mut out = "cell,settings,texts,best,alike,keeps,misses,goal,low,high\n".to_owned();
    for Row { id, label, stands } in rows(record) {
        out += &format!(
            "{id},\"{}\",{},{},{},{},{},{},{},{}\n",
            label.replace('"', "\"\""),
            stands.texts,
            stands.best,
            stands.alike,
            stands.keeps,
            exact(stands.misses),
            exact(stands.goal),
            exact(stands.low),
            exact(stands.high),
        );
    }
    out
}

pub(super) fn markdown(record: &TuneRecord, top: usize) -> String {
    let mut out = format!(
        "| setting | texts | {} | 95 % | best | alike | keeps |\n|---|---|---|---|---|---|---|\n",
        record.goal
    );
    for Row { label, stands, .. } in rows(record).into_iter().take(top.max(1)) {
        out += &format!(
            "| {label} | {} | {} | {} … {} | {:.2} | {:.2} | {:.2} |\n",
            stands.texts,
            number(stands.goal),
            number(stands.low),
            number(stands.high),
            stands.best,
            stands.alike,
            stands.keeps
        );
    }
    out
}
