//! What makes a number misleading: its codes, and for each a sentence with figures.
//!
//! A warning is a row of the codes below and a function that raises it. Tables, pages, JSON and
//! `docs/warnings.md` follow the rows.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{options::ScoreOptions, warning_code::codes};
use crate::data::sides::{Side, Sides};

codes! {
    TooFew = "too_few", 'f', "too few texts for measures by balls or clusters; draw more with -n";
    Duplicates = "duplicates", 'd',
        "many texts are copies, which moves precision and recall either way";
    IdenticalRows = "identical_rows", 'i',
        "all texts of a side are one point, so every radius on that side is 0";
    BlankTexts = "blank_texts", 'b', "some texts are blank";
    NoText = "no_text", 'a', "a server answered without a text, and those answers are left out";
    TruncatedTexts = "truncated_texts", 't', "texts end at the token limit; raise --max-new-tokens";
    LengthMismatch = "length_mismatch", 'l',
        "lengths differ from the reference's: measures may be reading length";
    UnequalN = "unequal_n", 'n', "sizes differ; the larger side was drawn down or kept as was asked";
    NotDrawn = "not_drawn", 'r', "too many texts to draw from, so no intervals and no p-values";
    CoarsePValues = "coarse_p_values", 'v',
        "too few permutations for any p-value to reach 0.05; raise --permutations";
    OverDispersion = "over_dispersion", 'w',
        "wider than the reference, which raises recall; read coverage";
    Outliers = "outliers", 'o', "a few outlying texts hold much of the space; read the clipped pair";
    SaturatedFrontier = "saturated_frontier", 's',
        "MAUVE is at its ceiling and cannot rank these cells";
    FrontierFloor = "frontier_floor", 'm',
        "MAUVE is at its least, as without any overlap; lower --scaling or use fewer --clusters";
    Infinite = "infinite", 'x', "a divergence is infinite: some kind of text is one side's alone";
    Degenerate = "degenerate", 'g',
        "most texts are far likelier under one model: whole texts hardly overlap";
    DominatedSpectrum = "dominated_spectrum", 'p',
        "one principal component holds most of the variance";
    ConstantFeatures = "constant_features", 'c', "features barely differ between texts";
    Ties = "ties", '=', "distances tie";
    NoCeiling = "no_ceiling", '-', "no ceiling: the reference is too small to halve";
    Undefined = "undefined", 'u', "a measure is undefined";
}

impl From<String> for Code {
    fn from(word: String) -> Self {
        Self::ALL.iter().find(|code| code.word() == word).cloned().unwrap_or(Self::Other(word))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.word().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// Something that makes a number misleading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is about, such as `duplicates`.
    pub code: Code,
    /// A sentence: what was seen, and what it does to which numbers.
    pub message: String,
}

/// Rows below which ball-based measures and clusterings are mostly noise.
pub const FEW_ROWS: usize = 200;
/// Share of distinct rows below which copies are reported.
const FEW_DISTINCT: f64 = 0.98;
/// Length-only AUC from which measures may be reading length.
const LENGTH_AUC: f64 = 0.6;
/// Share of texts cut at the token limit from which it is reported.
const MANY_CUT: f64 = 0.05;
/// Share of the variance in the first component from which it is reported.
const DOMINANT: f64 = 0.5;
/// Permutations from which a p-value can be 0.05.
const TELLING_PERMUTATIONS: usize = 19;

fn warning(code: Code, message: String) -> Warning {
    Warning { code, message }
}

/// `duplicates`: copies within a set, with what `measures` become without them.
///
/// `with_and_without` holds each measure's name, its value on all rows and on distinct rows.
pub fn duplicates(
    rows: Sides<(usize, usize)>,
    with_and_without: &[(&str, f64, f64)],
) -> Option<Warning> {
    let share = |(n, unique): (usize, usize)| unique as f64 / n.max(1) as f64;
    if rows.as_ref().map(|&at| share(at) >= FEW_DISTINCT)
        == (Sides { reference: true, model: true })
    {
        return None;
    }
    let Sides { reference, model } = rows;
    let mut message = format!(
        "{} of {} reference rows and {} of {} model rows are distinct; copies set radii to 0 and \
         move precision and recall either way",
        reference.1, reference.0, model.1, model.0
    );
    if !with_and_without.is_empty() {
        let values: Vec<String> = with_and_without
            .iter()
            .map(|(name, with, without)| format!("{name} {without:.3} ({with:.3} with them)"))
            .collect();
        message += &format!("; without copies: {}", values.join(", "));
    }
    Some(warning(Code::Duplicates, message))
}

/// `unequal_n`: sizes differ, and what was done about it.
pub fn unequal_n(n: usize, m: usize, subsampled: bool) -> Option<Warning> {
    (n != m).then(|| {
        let done = if subsampled {
            format!("{} rows of each were used, drawn at random", n.min(m))
        } else {
            "all were kept: coverage, MAUVE and Fréchet distance depend on the ratio, so compare \
             only with scores at these sizes"
                .to_owned()
        };
        warning(Code::UnequalN, format!("{n} reference rows against {m} model rows; {done}"))
    })
}

/// `too_few`: a set of fewer than [`FEW_ROWS`] rows.
pub fn too_few(n: usize, m: usize) -> Option<Warning> {
    (n.min(m) < FEW_ROWS).then(|| {
        let message = format!(
            "{n} reference rows and {m} model rows: below {FEW_ROWS} intervals are wide and \
             ceilings rough; papers use 4000 to 5000 of each"
        );
        warning(Code::TooFew, message)
    })
}

/// `no_ceiling`: too few rows for a ceiling by splitting the reference.
pub fn no_ceiling(n: usize) -> Warning {
    let message = format!(
        "{n} reference rows cannot be split into quarters, so measures without a \
                           closed form have no ceiling"
    );
    warning(Code::NoCeiling, message)
}

/// `length_mismatch`: how well the number of tokens alone tells the sides apart.
///
/// ```text
/// AUC = P(length in Q > length in P) + ½ P(equal)
/// ```
pub fn length_mismatch(lengths: Sides<&[usize]>) -> Option<Warning> {
    let auc = length_auc(lengths)?;
    let mean = |lengths: &[usize]| lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
    let Sides { reference, model } = lengths.map(mean);
    let apart = auc.max(1.0 - auc);
    (apart >= LENGTH_AUC).then(|| {
        let message = format!(
            "reference texts have {reference:.1} tokens on average and model texts {model:.1}; \
             length alone tells them apart with AUC {apart:.3}, so the measures may be reading length"
        );
        warning(Code::LengthMismatch, message)
    })
}

/// The share of pairs in which the model's text is longer, equal lengths counted half; `None` where a
/// side is empty. `O((n + m) log(n + m))`.
pub fn length_auc(lengths: Sides<&[usize]>) -> Option<f64> {
    let Sides { reference, model } = lengths;
    if reference.is_empty() || model.is_empty() {
        return None;
    }
    let mut sorted = reference.to_vec();
    sorted.sort_unstable();
    let wins: f64 = model
        .iter()
        .map(|length| {
            let below = sorted.partition_point(|other| other < length);
            let up_to = sorted.partition_point(|other| other <= length);
            (below + up_to) as f64 / 2.0
        })
        .sum();
    Some(wins / (reference.len() as f64 * model.len() as f64))
}

/// `over_dispersion`: recall above what the reference reaches against itself, or balls much larger.
///
/// `radii` is the median radius of the model's balls over that of the reference's, and `copied` the share of
/// reference rows that stand among the samples: those are recalled however wide the samples are spread.
pub fn over_dispersion(
    recall: f64,
    ceiling: Option<f64>,
    radii: f64,
    copied: f64,
) -> Option<Warning> {
    let with_copies = |ceiling: f64| copied + (1.0 - copied) * ceiling;
    let above = ceiling.is_some_and(|ceiling| recall > with_copies(ceiling) + 0.02);
    (above || radii > 1.1).then(|| {
        let against = match ceiling {
            Some(ceiling) if above => {
                format!("recall {recall:.3} exceeds the {ceiling:.3} of the reference against itself")
            }
            _ => format!("recall is {recall:.3}"),
        };
        let message = format!(
            "{against}, and the model's radii are {radii:.2} times the reference's: the samples are \
             spread wider than the reference, which raises recall and lowers precision by itself; \
             read coverage and sym_recall"
        );
        warning(Code::OverDispersion, message)
    })
}

/// `outliers`: one side's largest radii dwarf its median one.
///
/// `stretch` is the 99th percentile of the radii over their median.
pub fn outliers(stretch: Sides<f64>) -> Option<Warning> {
    let wide: Vec<String> = [Side::Reference, Side::Model]
        .into_iter()
        .filter(|&side| *stretch.get(side) > 2.5)
        .map(|side| {
            format!("the {side} side's 99th percentile radius is {:.1} medians", stretch.get(side))
        })
        .collect();
    (!wide.is_empty()).then(|| {
        let message = format!(
            "{}: a few outlying texts have balls that hold much of the space, which raises precision \
             (reference outliers) or recall (model outliers); read the clipped pair",
            wide.join(" and ")
        );
        warning(Code::Outliers, message)
    })
}

/// MAUVE at an end of its scale: `frontier_floor` at `lowest`, its value without any overlap, else
/// `saturated_frontier` at its ceiling.
pub fn saturated_frontier(mauve: f64, ceiling: Option<f64>, lowest: f64) -> Option<Warning> {
    if mauve <= lowest * 1.5 {
        let message = format!(
            "MAUVE {mauve:.4} is at its least ({lowest:.4}, no overlap at all): lower --scaling or use \
             fewer --clusters to tell bad models apart"
        );
        return Some(warning(Code::FrontierFloor, message));
    }
    let ceiling = ceiling.filter(|ceiling| mauve >= ceiling - 0.01)?;
    let message = format!(
        "MAUVE {mauve:.4} is at what the reference scores against itself ({ceiling:.4}): it cannot rank \
         models this close; use fewer --clusters or more texts"
    );
    Some(warning(Code::SaturatedFrontier, message))
}

/// `dominated_spectrum`: most of the variance lies along one direction.
pub fn dominated_spectrum(first_share: f64, components: usize) -> Option<Warning> {
    (first_share > DOMINANT).then(|| {
        let message = format!(
            "the first of {components} principal components holds {:.0} % of the variance: distances \
             mostly read one direction of the embedding",
            100.0 * first_share
        );
        warning(Code::DominatedSpectrum, message)
    })
}

/// `truncated_texts`: texts cut at a token limit.
pub fn truncated_texts(cut: Sides<(usize, usize)>) -> Option<Warning> {
    let share = |(cut, n): (usize, usize)| cut as f64 / n.max(1) as f64;
    let Sides { reference, model } = cut;
    (share(reference) > MANY_CUT || share(model) > MANY_CUT).then(|| {
        let message = format!(
            "{} of {} reference texts and {} of {} model texts were cut at the token limit; their \
             last-token features are those of broken-off sentences",
            reference.0, reference.1, model.0, model.1
        );
        warning(Code::TruncatedTexts, message)
    })
}

/// `ties`: the rule for a point exactly on a radius changes a measure.
pub fn ties(name: &str, strict: f64, inclusive: f64) -> Option<Warning> {
    ((strict - inclusive).abs() > 1e-3).then(|| {
        let message = format!(
            "{name} is {strict:.4} when a point exactly on a radius is outside (strict) and \
             {inclusive:.4} when it is inside (inclusive)"
        );
        warning(Code::Ties, message)
    })
}

/// `identical_rows`: a side whose rows are all the same.
pub fn identical_rows(side: Side, n: usize) -> Warning {
    warning(
        Code::IdenticalRows,
        format!("all {n} {side} rows are the same point; every radius on that side is 0"),
    )
}

/// `constant_features`: no variance to reduce. `scaled` where rows that differ were brought to one length.
pub fn constant_features(scaled: bool) -> Warning {
    let why = match scaled {
        true => {
            "all rows of both sides point one way, so at length 1 they are the same point: \
                 --normalize none keeps their lengths; no reduction was done"
        }
        false => "all rows of both sides are the same point, so no reduction was done",
    };
    warning(Code::ConstantFeatures, why.to_owned())
}

/// `undefined`: measures without a value, and why.
pub fn undefined(names: &[&str], why: &str) -> Warning {
    let verb = if names.len() == 1 { "is" } else { "are" };
    warning(Code::Undefined, format!("{} {verb} undefined: {why}", names.join(", ")))
}

/// `infinite`: divergences that are infinite because a cluster holds only one side's texts.
pub fn infinite(names: &[&str]) -> Option<Warning> {
    (!names.is_empty()).then(|| {
        let verb = if names.len() == 1 { "is" } else { "are" };
        let message = format!(
            "{} {verb} infinite because some bin holds texts of one side only; the _smoothed values \
             count half a text more in each bin",
            names.join(", ")
        );
        warning(Code::Infinite, message)
    })
}

/// `infinite`: divergences that are infinite because one model cannot write some text of the other.
pub fn impossible_texts(names: &[&str]) -> Option<Warning> {
    (!names.is_empty()).then(|| {
        let verb = if names.len() == 1 { "is" } else { "are" };
        let message = format!(
            "{} {verb} infinite because one model cannot write some text of the other, as under top-k \
             and top-p; the curve, js, tv and hellinger2 stay finite",
            names.join(", ")
        );
        warning(Code::Infinite, message)
    })
}

/// `degenerate`: most texts are more than `e^far` times likelier under one model, so the curve says
/// little more than that the models differ. `log_ratios` are of texts that both can write, or infinite.
pub fn degenerate(log_ratios: Sides<&[f64]>, far: f64) -> Option<Warning> {
    let all = || log_ratios.reference.iter().chain(log_ratios.model);
    let share = all().filter(|x| x.abs() > far).count() as f64 / all().count() as f64;
    (share > 0.5).then(|| {
        let message = format!(
            "{:.0} % of the texts are a thousand times likelier under one model than under the other: \
             whole texts of this length have almost no overlap whatever the models; read \
             curves.prefix, or compare beginnings with a smaller --max-new-tokens",
            100.0 * share
        );
        warning(Code::Degenerate, message)
    })
}

/// What to know of the draws behind intervals and p-values: `not_drawn`, where the sides count more than
/// `most` texts together and so none were made, else `coarse_p_values`.
pub fn of_draws(texts: Sides<u64>, most: u64, options: &ScoreOptions) -> Vec<Warning> {
    let Sides { reference, model } = texts;
    let asked = options.resamples + options.permutations > 0;
    let not_drawn = (asked && reference.saturating_add(model) > most).then(|| {
        let message = format!(
            "the histograms count {reference} and {model} texts, above the {most} that are drawn from \
             one by one: values have no intervals and no p-values"
        );
        warning(Code::NotDrawn, message)
    });
    not_drawn.or_else(|| coarse_p_values(options.permutations)).into_iter().collect()
}

/// `coarse_p_values`: so few permutations that not even the least p-value reaches 0.05.
fn coarse_p_values(permutations: usize) -> Option<Warning> {
    (1..TELLING_PERMUTATIONS).contains(&permutations).then(|| {
        let message = format!(
            "{permutations} permutations allow no p-value below 1/{} = {:.3}, whatever the texts: use \
             --permutations {TELLING_PERMUTATIONS} or more to reach 0.05, 999 to reach 0.001",
            permutations + 1,
            1.0 / (permutations + 1) as f64
        );
        warning(Code::CoarsePValues, message)
    })
}

/// `blank_texts`: texts without a word.
pub fn blank_texts(blank: Sides<(usize, usize)>) -> Option<Warning> {
    let Sides { reference, model } = blank;
    (reference.0 + model.0 > 0).then(|| {
        let message = format!(
            "{} of {} reference texts and {} of {} model texts are empty; they are kept, as copies of \
             one another",
            reference.0, reference.1, model.0, model.1
        );
        warning(Code::BlankTexts, message)
    })
}

#[cfg(test)]
mod tests;
