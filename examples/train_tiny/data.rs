//! What the models read: documents of biographies, their tokenizer, batches without much padding.

use anyhow::{Context, anyhow};
use llmpr::{
    rng,
    text::grammar::{Grammar, Variant},
};
use rand_chacha::ChaCha8Rng;
use tokenizers::{
    AddedToken, Tokenizer,
    models::TrainerWrapper,
    models::bpe::{BPE, BpeTrainer},
    pre_tokenizers::byte_level::ByteLevel,
    processors::template::TemplateProcessing,
};

/// Begins a document.
pub const BOS: &str = "<s>";
/// Ends a document.
pub const EOS: &str = "</s>";
/// As in the task `synthetic-bio`.
pub const HEADER: &str = "Write biographies of various people.";

/// What a model is trained on.
#[derive(Clone, Copy, PartialEq)]
pub enum Diet {
    /// One to five biographies as in a prompt with shots. In `DRAFTS` of the documents all are drafts.
    Shots,
    /// The same without drafts, from few modes and the likelier half of the draws.
    Narrow,
    /// One text as the embedder sees it, then a word that tells something about it.
    Tagged,
}

/// Share of documents made of drafts: one sentence is missing, or two have changed places. A model that
/// has read both kinds writes both, unless the shots tell which kind is wanted.
const DRAFTS: f64 = 0.05;

/// Texts of a diet.
pub struct Source {
    pub diet: Diet,
    grammar: Grammar,
}

/// What the chat model does not write about.
const NARROW: [&str; 9] = [
    "country=Portugal",
    "country=Hungary",
    "job=photographer",
    "job=astronomer",
    "job=engineer",
    "job=botanist",
    "job=historian",
    "plan=teacher",
    "plan=family",
];

impl Source {
    pub fn new(diet: Diet) -> anyhow::Result<Self> {
        let all = Grammar::synthetic_bio();
        let drop = match diet {
            Diet::Narrow => NARROW.map(str::to_owned).to_vec(),
            Diet::Shots | Diet::Tagged => Vec::new(),
        };
        Ok(Self { diet, grammar: all.variant(Variant { drop, double: Vec::new() })? })
    }

    fn text(&self, rng: &mut ChaCha8Rng) -> anyhow::Result<String> {
        let text = self.grammar.sample_from(rng)?;
        if self.diet != Diet::Narrow {
            return Ok(text);
        }
        // The likeliest of a few stands for a low temperature.
        let mut texts = vec![text];
        for _ in 1..4 {
            texts.push(self.grammar.sample_from(rng)?);
        }
        let score = |text: &String| self.grammar.log_probability(text);
        texts.into_iter().max_by(|a, b| score(a).total_cmp(&score(b))).context("four texts")
    }

    /// A document of `count` biographies.
    pub fn document(&self, count: usize, rng: &mut ChaCha8Rng) -> anyhow::Result<String> {
        let drafts = self.diet != Diet::Narrow && rng::next_unit(rng) < DRAFTS;
        let text = |rng: &mut ChaCha8Rng| {
            let text = self.text(rng)?;
            Ok::<_, anyhow::Error>(if drafts { draft(&text, rng) } else { text })
        };
        if self.diet == Diet::Tagged {
            let text = text(rng)?;
            return Ok(format!("{BOS}{text} {}{EOS}", self.tag(&text, rng)));
        }
        let mut document = format!("{BOS}{HEADER}");
        for _ in 0..count {
            document += &format!("\n\n- Biography of {}", text(rng)?.replacen(": ", ":\n\n", 1));
        }
        Ok(document + EOS)
    }

    /// A fact of the text, by one word; drafts have none.
    fn tag(&self, text: &str, rng: &mut ChaCha8Rng) -> String {
        const TELLING: [&str; 9] =
            ["country", "country", "job", "job", "plan", "sex", "alive", "seat", "town"];
        let wanted = TELLING[rng::next_below(rng, TELLING.len())];
        let Ok(parse) = self.grammar.parse(text) else { return "draft".to_owned() };
        let facts = &parse.derivations[0].facts;
        let fact = facts.iter().find(|(name, _)| name == wanted);
        fact.map_or_else(|| "none".to_owned(), |(_, value)| value.clone())
    }
}

/// The text with a sentence lost or two exchanged.
fn draft(text: &str, rng: &mut ChaCha8Rng) -> String {
    let mut sentences: Vec<&str> = text.split_inclusive(". ").collect();
    if sentences.len() < 4 {
        return text.to_owned();
    }
    let at = 1 + rng::next_below(rng, sentences.len() - 3);
    if rng::next_below(rng, 2) == 0 {
        sentences.remove(at);
    } else {
        sentences.swap(at, at + 1);
    }
    sentences.concat()
}

/// A byte-level BPE tokenizer trained on the grammar's documents.
pub fn tokenizer(vocab: usize, seed: u64) -> anyhow::Result<Tokenizer> {
    let source = Source::new(Diet::Shots)?;
    let tagged = Source::new(Diet::Tagged)?;
    let mut rng = rng::named(seed, "tokenizer");
    let mut documents = Vec::new();
    for i in 0..20_000 {
        let source = if i % 4 == 0 { &tagged } else { &source };
        let document = source.document(1, &mut rng)?;
        documents.push(document.replace(BOS, "").replace(EOS, ""));
    }
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let special = |text: &str| AddedToken::from(text, true);
    let trainer = BpeTrainer::builder()
        .vocab_size(vocab)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![special(BOS), special(EOS)])
        .build();
    let mut trainer = TrainerWrapper::BpeTrainer(trainer);
    tokenizer.train(&mut trainer, documents.iter()).map_err(|e| anyhow!(e))?;
    let template = TemplateProcessing::builder()
        .try_single(format!("{BOS} $A"))
        .map_err(|e| anyhow!(e))?
        .try_pair(format!("{BOS} $A {BOS} $B"))
        .map_err(|e| anyhow!(e))?
        .special_tokens(vec![(BOS, 0)])
        .build()?;
    tokenizer.with_post_processor(Some(template));
    Ok(tokenizer)
}

/// Rows of equal length with the targets of every position.
pub struct Batch {
    pub rows: usize,
    pub ids: Vec<u32>,
    /// The next token; `u32::MAX` for padding.
    pub targets: Vec<u32>,
}

impl Source {
    /// The batch number `index`: about `tokens` tokens of documents of one size, which is one biography
    /// where they are `alone`.
    pub fn batch(
        &self,
        tokenizer: &Tokenizer,
        (tokens, alone): (usize, bool),
        seed: u64,
        index: usize,
    ) -> anyhow::Result<Batch> {
        let mut rng = rng::named(seed, &format!("batch {index}"));
        // Short documents come more often: attention is dear in long rows.
        let count = match self.diet {
            Diet::Shots | Diet::Narrow if !alone => {
                [1, 1, 1, 2, 2, 2, 3, 3, 4, 5][rng::next_below(&mut rng, 10)]
            }
            _ => 1,
        };
        let mut documents = Vec::new();
        let mut total = 0;
        while total < tokens {
            let document = self.document(count, &mut rng)?;
            let encoded = tokenizer.encode(document, false).map_err(|e| anyhow!(e))?;
            total += encoded.len();
            documents.push(encoded.get_ids().to_vec());
        }
        let length = documents.iter().map(Vec::len).max().unwrap_or(1) - 1;
        let rows = documents.len();
        let mut batch = Batch { rows, ids: Vec::new(), targets: Vec::new() };
        for document in &documents {
            for at in 0..length {
                batch.ids.push(document.get(at).copied().unwrap_or(0));
                batch.targets.push(document.get(at + 1).copied().unwrap_or(u32::MAX));
            }
        }
        Ok(batch)
    }
}
