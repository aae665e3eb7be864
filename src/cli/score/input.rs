//! What `--reference` and `--samples` name: histograms, features, or texts to be embedded.

use anyhow::{Context, bail};

use crate::{
    cli::{
        flags::{DeviceFlags, EmbedFlags, GapFlags},
        progress,
    },
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
        signature::content,
    },
    lm::{checkpoint::hub, embed::Embedder},
    npy,
    run::features::texts_hash,
    score::{ScoreOptions, TextFacts},
    text::Text,
};

/// Both sides, read.
pub enum Input {
    /// Counts over shared bins.
    Histograms(Sides<Vec<u64>>),
    /// Features, with the texts they were made from where they were.
    Clouds {
        /// One row a text.
        features: Sides<Matrix>,
        /// What the measures read of their texts.
        texts: Option<Sides<TextFacts>>,
        /// The model's texts themselves: standard input is read once.
        completions: Option<Vec<Text>>,
        /// What the rows were made of, by content.
        made_of: MadeOf,
    },
}

/// What rows were made of, by content.
pub struct MadeOf {
    /// The embedder's facts, see [`ScoreOptions::embedder`].
    embedder: String,
    /// Hash of the reference texts, where the rows were made of texts.
    reference: Option<String>,
    /// Hash of the prompts that the model's texts name.
    prompts: Option<String>,
}

impl MadeOf {
    /// `options` that sign with it.
    pub fn sign(self, options: ScoreOptions) -> ScoreOptions {
        let Self { embedder, reference, prompts } = self;
        ScoreOptions { embedder, reference, prompts, ..options }
    }
}

/// What a file holds, by its name and header.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Histogram,
    Features,
    Texts,
}

impl Kind {
    fn of(spec: &str) -> anyhow::Result<Self> {
        if !npy::is_feature_path(spec) {
            return Ok(Self::Texts);
        }
        let histogram = npy::is_histogram(spec)
            .with_context(|| format!("cannot read features from `{spec}`"))?;
        Ok(if histogram { Self::Histogram } else { Self::Features })
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Histogram => "a histogram",
            Self::Features => "features",
            Self::Texts => "texts",
        }
    }
}

/// Says, of so many rows of so many columns, why they cannot be measured here; columns are 0 where texts are yet to be
/// embedded.
pub type Fits<'a> = &'a dyn Fn(Sides<usize>, usize) -> anyhow::Result<()>;

/// Reads both sides; they are of one kind. What `fits` refuses is not read.
pub fn read(
    specs: Sides<&str>,
    gaps: GapFlags,
    embed: &EmbedFlags,
    device: &DeviceFlags,
    fits: Fits<'_>,
) -> anyhow::Result<Input> {
    let located = specs.try_map(hub::local)?;
    let specs = located.as_ref().map(AsRef::as_ref);
    if specs.reference == "-" && specs.model == "-" {
        bail!("only one of --reference and --samples can be `-`");
    }
    let kinds = specs.try_map(Kind::of)?;
    match (kinds.reference, kinds.model) {
        (Kind::Histogram, Kind::Histogram) => {
            let read = |spec| {
                npy::read_histogram(spec)
                    .with_context(|| format!("cannot read a histogram from `{spec}`"))
            };
            Ok(Input::Histograms(specs.try_map(read)?))
        }
        (Kind::Features, Kind::Features) => {
            let shapes = specs.try_map(|spec| {
                npy::shape(spec).with_context(|| format!("cannot read features from `{spec}`"))
            })?;
            fits(shapes.map(|(rows, _)| rows), shapes.reference.1)?;
            let read = |spec| {
                npy::read_features(spec)
                    .with_context(|| format!("cannot read features from `{spec}`"))
            };
            let features = specs.try_join(read)?;
            for side in [Side::Reference, Side::Model] {
                if features.get(side).rows() == 0 {
                    bail!("`{}` has no rows of values", specs.get(side));
                }
            }
            Ok(Input::Clouds {
                features,
                texts: None,
                completions: None,
                made_of: MadeOf {
                    embedder: ScoreOptions::default().embedder,
                    reference: None,
                    prompts: None,
                },
            })
        }
        (Kind::Texts, Kind::Texts) => texts(specs, gaps, embed, device, fits),
        (reference, model) => bail!(
            "`{}` holds {} and `{}` {}; both sides must be of one kind",
            specs.reference,
            reference.noun(),
            specs.model,
            model.noun()
        ),
    }
}

/// Reads the texts of both sides and embeds them.
fn texts(
    specs: Sides<&str>,
    gaps: GapFlags,
    embed: &EmbedFlags,
    device: &DeviceFlags,
    fits: Fits<'_>,
) -> anyhow::Result<Input> {
    let tokens = embed.tokens()?;
    let texts = specs.try_map(|spec| gaps.texts(spec))?;
    let Some(model) = &embed.embedder else {
        bail!(
            "`{}` and `{}` are texts; name the model that embeds them with --embedder MODEL, or \
             give features (.npy, .npz, .safetensors)",
            specs.reference,
            specs.model
        );
    };
    fits(texts.as_ref().map(Vec::len), 0)?;
    let embedder = embed
        .open(model, tokens, device)
        .with_context(|| format!("cannot open the embedder `{model}`"))?;
    let embedded = |side: Side| {
        side_of(texts.get(side), side, &embedder)
            .with_context(|| format!("cannot embed `{}`", specs.get(side)))
    };
    let (reference, reference_facts) = embedded(Side::Reference)?;
    let (model, model_facts) = embedded(Side::Model)?;
    let read: Vec<&str> = texts.reference.iter().map(|text| text.text.as_str()).collect();
    let made_of = MadeOf {
        embedder: embedder.facts()?,
        reference: Some(texts_hash(&read)),
        prompts: prompts_content(&texts.model),
    };
    Ok(Input::Clouds {
        features: Sides { reference, model },
        texts: Some(Sides { reference: reference_facts, model: model_facts }),
        completions: Some(texts.model),
        made_of,
    })
}

/// Features and facts of one side's texts; a line of progress on stderr.
fn side_of(texts: &[Text], side: Side, embedder: &Embedder) -> anyhow::Result<(Matrix, TextFacts)> {
    let tokens =
        texts.iter().map(|text| embedder.ids(&text.text)).collect::<Result<Vec<_>, _>>()?;
    let bar = progress::for_stderr();
    let mut heard = None;
    let rows = embedder.embed_ids(&tokens, &mut |done, all| {
        let before = heard.replace(done).unwrap_or_else(|| {
            bar.begin(&format!("embedding {} {side} texts", texts.len()), "tokens", all as u64, 0);
            0
        });
        bar.advance((done - before) as u64, (done - before) as u64);
    })?;
    bar.end();
    let prompts = prompts_of(texts);
    let cut_here = tokens.iter().map(|ids| ids.len() >= embedder.max_tokens());
    let cut = cut_here
        .zip(texts)
        .map(|(cut, text)| cut || text.finish_reason.as_deref() == Some("length"))
        .collect();
    let blank = texts.iter().map(Text::is_blank).collect();
    Ok((rows, TextFacts { tokens, cut, blank, prompts }))
}

/// What stands in a signature for the prompts that the texts answer, in whatever order they stand; `None`
/// where a text names none.
fn prompts_content(texts: &[Text]) -> Option<String> {
    let name = |text: &Text| text.prompt.clone().or_else(|| text.prompt_id.clone());
    let mut names: Vec<String> = texts.iter().map(name).collect::<Option<_>>()?;
    names.sort_unstable();
    Some(content(names))
}

/// Numbers of the prompts that the texts answer; empty where none is named.
fn prompts_of(texts: &[Text]) -> Vec<u64> {
    let name = |text: &Text| text.prompt_id.clone().or_else(|| text.prompt.clone());
    let names: Option<Vec<String>> = texts.iter().map(name).collect();
    let mut numbers = std::collections::HashMap::new();
    names
        .unwrap_or_default()
        .into_iter()
        .map(|name| {
            let next = numbers.len() as u64;
            *numbers.entry(name).or_insert(next)
        })
        .collect()
}
