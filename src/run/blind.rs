//! Texts of cells in pairs for people to judge, without saying whose they are, and what their votes say.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    finished::{Features, ReadError, open_all},
    show::{ShowError, chosen},
    store::{StoreError, read_json, write_json, write_whole},
};
use crate::{
    report::{
        record::{CellResult, SampleRecord},
        votes::{Choice, Strength, Vote, bradley_terry},
    },
    rng::{self, next_below, shuffle},
};

/// The name and version of the key.
pub const BLIND_SCHEMA: &str = "llmpr.blind/1";
/// The name and version of what votes say.
pub const VOTES_SCHEMA: &str = "llmpr.votes/1";

/// Columns of the sheet.
const COLUMNS: [&str; 4] = ["pair", "left", "right", "vote"];

/// Why there is no sheet, or no result of one.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum BlindError {
    /// The run or a cell's name.
    #[error(transparent)]
    Show(#[from] ShowError),
    /// The run.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One cell twice.
    #[error("`{name}` and `{other}` are the same cell; name two different ones")]
    Same { name: String, other: String },
    /// A cell without texts.
    #[error("`{cell}` has no texts to judge")]
    NoTexts { cell: String },
    /// A sheet whose key is gone.
    #[error("`{path}` is not there: it says whose texts are in the sheet; keep it beside it")]
    NoKey { path: String },
    /// A sheet that cannot be read.
    #[error("`{path}`, line {line}: {what}")]
    Sheet { path: String, line: u64, what: String },
    /// A sheet without a vote.
    #[error("`{path}` has no votes yet; write left, right or tie in its column `vote`")]
    NoVotes { path: String },
}

/// Whose texts are in a sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Key {
    schema: String,
    /// The cells: id and settings.
    cells: Vec<(String, String)>,
    /// Of each pair: which cell stands on the left, and which on the right, with the ids of their texts.
    pairs: Vec<[(usize, String); 2]>,
}

/// What the votes of a sheet say.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// [`VOTES_SCHEMA`].
    pub schema: &'static str,
    /// Pairs with a vote, and pairs in the sheet.
    pub votes: usize,
    /// All pairs.
    pub pairs: usize,
    /// Share of the votes that are not ties in which the left text won: far from a half, places told more than texts.
    pub left: f64,
    /// The cells, the strongest first.
    pub cells: Vec<JudgedCell>,
}

/// What the votes of a sheet say of one cell.
#[derive(Clone, Debug, Serialize)]
pub struct JudgedCell {
    /// Its settings in words.
    pub cell: String,
    /// How it fared.
    #[serde(flatten)]
    pub of: Strength,
}

/// The file beside a sheet that says whose texts are in it.
pub fn key_path(sheet: &Path) -> PathBuf {
    sheet.with_extension("key.json")
}

/// Writes `count` pairs of texts of the cells of `run` that `names` mean to the file `sheet`, and whose they are beside
/// it. Which texts, in which order and on which sides is random, and the same for the same `seed`.
///
/// # Errors
///
/// [`BlindError`].
pub fn sheet(
    run: &Path,
    names: &[String],
    count: usize,
    seed: u64,
    sheet: &Path,
) -> Result<usize, BlindError> {
    let (runs, results, _) = open_all(&[run.to_owned()])?;
    let all: Vec<&CellResult> = results.cells.iter().collect();
    let places: Vec<usize> =
        names.iter().map(|name| chosen(run, &all, name)).collect::<Result<_, _>>()?;
    for (at, place) in places.iter().enumerate() {
        if let Some(first) = places[..at].iter().position(|other| other == place) {
            return Err(BlindError::Same { name: names[first].clone(), other: names[at].clone() });
        }
    }
    let cells: Vec<&CellResult> = places.iter().map(|&place| all[place]).collect();
    let mut features = Features::of(&runs[0], &cells, 0);
    if let Some((_, error)) = features.damaged.pop() {
        return Err(error.into());
    }
    let mut texts: Vec<Vec<SampleRecord>> = features.samples;
    for (cell, texts) in cells.iter().zip(&mut texts) {
        texts.retain(|sample| !sample.text().trim().is_empty());
        if texts.is_empty() {
            return Err(BlindError::NoTexts { cell: cell.cell.label() });
        }
        shuffle(&mut rng::named(seed, &format!("blind {}", cell.cell.id)), texts);
    }
    // Every pair of cells in turn, each time with the next text of either.
    let meetings: Vec<(usize, usize)> =
        (0..cells.len()).flat_map(|a| (0..a).map(move |b| (b, a))).collect();
    let most = texts.iter().map(Vec::len).min().unwrap_or(0) * cells.len() / 2;
    let mut used = vec![0; cells.len()];
    let mut sides = rng::named(seed, "blind sides");
    let mut pairs: Vec<[(usize, &SampleRecord); 2]> = Vec::new();
    for &(a, b) in meetings.iter().cycle().take(count.min(most.max(1))) {
        let mut next = |cell: usize| {
            let sample = texts[cell].get(used[cell])?;
            used[cell] += 1;
            Some((cell, sample))
        };
        let (Some(a), Some(b)) = (next(a), next(b)) else { break };
        pairs.push(if next_below(&mut sides, 2) == 0 { [a, b] } else { [b, a] });
    }
    shuffle(&mut sides, &mut pairs);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed =
        |what: String| BlindError::Sheet { path: sheet.display().to_string(), line: 0, what };
    writer.write_record(COLUMNS).map_err(|error| failed(error.to_string()))?;
    for (at, [left, right]) in pairs.iter().enumerate() {
        let number = (at + 1).to_string();
        let row = [&number, &plain(left.1.text()), &plain(right.1.text()), &String::new()];
        writer.write_record(row).map_err(|error| failed(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
    let key = Key {
        schema: BLIND_SCHEMA.to_owned(),
        cells: cells.iter().map(|cell| (cell.cell.id.clone(), cell.cell.label())).collect(),
        pairs: pairs.iter().map(|pair| pair.map(|(cell, of)| (cell, of.id.clone()))).collect(),
    };
    write_json(&key_path(sheet), &key)?;
    write_whole(sheet, &bytes)?;
    Ok(pairs.len())
}

/// A text as a spreadsheet shows it: one that begins like a formula is not computed.
fn plain(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

/// What the votes in `sheet` say: `left`, `right` or `tie` in its column `vote`, in any case, or `l`, `r`, `t`; pairs
/// without one are left out.
///
/// # Errors
///
/// [`BlindError`].
pub fn judge(sheet: &Path) -> Result<Judged, BlindError> {
    let path = sheet.display().to_string();
    let beside = key_path(sheet);
    let key: Option<Key> = read_json(&beside)?;
    let key = key.ok_or_else(|| BlindError::NoKey { path: beside.display().to_string() })?;
    let wrong = |line: u64, what: String| BlindError::Sheet { path: path.clone(), line, what };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(sheet)
        .map_err(|error| wrong(0, error.to_string()))?;
    let header = reader.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
    let column = |name: &str| {
        header
            .iter()
            .position(|column| column.trim().eq_ignore_ascii_case(name))
            .ok_or_else(|| wrong(1, format!("there is no column `{name}`")))
    };
    let (pair, vote) = (column("pair")?, column("vote")?);
    let mut votes = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(0, error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let word = record.get(vote).unwrap_or("").trim().to_lowercase();
        let choice = match word.as_str() {
            "" => continue,
            "left" | "l" => Choice::Left,
            "right" | "r" => Choice::Right,
            "tie" | "t" => Choice::Tie,
            other => {
                return Err(wrong(line, format!("`{other}` is no vote; write left, right or tie")));
            }
        };
        let number = record.get(pair).unwrap_or("").trim();
        let at = number.parse::<usize>().ok().and_then(|at| key.pairs.get(at.checked_sub(1)?));
        let [left, right] =
            at.ok_or_else(|| wrong(line, format!("`{number}` is no pair of this sheet")))?;
        let known = key.cells.len();
        if left.0 >= known || right.0 >= known {
            return Err(wrong(line, "the key names a cell that it does not have".to_owned()));
        }
        votes.push(Vote { left: left.0, right: right.0, choice });
    }
    if votes.is_empty() {
        return Err(BlindError::NoVotes { path });
    }
    let count = |choice| votes.iter().filter(|vote| vote.choice == choice).count() as f64;
    let (left, right) = (count(Choice::Left), count(Choice::Right));
    let strengths = bradley_terry(&votes, key.cells.len());
    let one = |((_, cell), of): ((String, String), Strength)| JudgedCell { cell, of };
    let mut cells: Vec<JudgedCell> = key.cells.into_iter().zip(strengths).map(one).collect();
    cells.sort_by(|a, b| b.of.strength.total_cmp(&a.of.strength));
    Ok(Judged {
        schema: VOTES_SCHEMA,
        votes: votes.len(),
        pairs: key.pairs.len(),
        left: if left + right > 0.0 { left / (left + right) } else { 0.5 },
        cells,
    })
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_a_spreadsheet_would_compute_is_marked_as_text_and_all_else_is_as_it_was() {
        for text in ["=1+1", "+1", "-1", "@name", "\tx", "\rx"] {
            assert_eq!(plain(text), format!("'{text}"));
        }
        assert_eq!((plain("a=1"), plain("")), ("a=1".to_owned(), String::new()));
    }
}
