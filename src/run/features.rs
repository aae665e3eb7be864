//! Features of texts, computed once: beside a cell's texts, and for references in the user's cache.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    progress::Progress,
    signals::Stop,
    store::{StoreError, make_folder, read_json, write_error, write_json},
};
use crate::{
    data::{
        hex::hex,
        matrix::{Matrix, MatrixError},
    },
    lm::{
        Checkpoint, Lm, LmError,
        checkpoint::load,
        embed::{Embedder, Pooling},
        encoder,
        engine::device::{self, DeviceChoice, DtypeChoice},
    },
    npy::{self, FeatureError},
};

/// Texts that are embedded between two looks at the clock.
const CHUNK: usize = 256;

/// Why features cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The model that embeds.
    #[error(transparent)]
    Lm(#[from] LmError),
    /// A file of features.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// Another file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A vector with NaN in it.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

/// What features were made of; stands beside them as `features.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    /// Hash of the embedder and its settings.
    embedder: String,
    /// Hash of the texts in order.
    texts: String,
}

/// Settings of the embedder.
#[derive(Clone, Debug)]
pub struct EmbedSettings {
    /// The model.
    pub model: String,
    /// Which hidden states make a feature.
    pub pooling: Pooling,
    /// Tokens after which a text is cut.
    pub max_tokens: usize,
    /// Which device computes.
    pub device: DeviceChoice,
    /// In which number type.
    pub dtype: DtypeChoice,
}

/// The embedder of a run and what it has embedded; a language model's weights are read when the first
/// text needs them.
pub struct Features {
    settings: EmbedSettings,
    model: Model,
    key: String,
    max_tokens: usize,
    /// Vectors of texts that occur in several cells.
    known: HashMap<[u8; 32], Vec<f32>>,
    repeated: HashSet<[u8; 32]>,
}

/// What embeds.
enum Model {
    Decoder { checkpoint: Arc<Checkpoint>, embedder: Option<Box<Embedder>> },
    Sentence(Box<Embedder>),
}

impl Features {
    /// Finds the embedder and checks that it can be one. Of a language model no weight is read yet; a
    /// sentence encoder, which is small, is read whole.
    ///
    /// # Errors
    ///
    /// [`LmError`] for what is no model or has no tokenizer.
    pub fn open(settings: EmbedSettings) -> Result<Self, LmError> {
        let path = load::locate(&settings.model)?;
        let model = if encoder::is_encoder(&path) {
            let embedder = Embedder::open_at(
                &path,
                &settings.model,
                settings.device,
                settings.dtype,
                settings.pooling,
                settings.max_tokens,
            )?;
            Model::Sentence(Box::new(embedder))
        } else {
            let checkpoint = load::open_at(&path, &settings.model)?;
            // Texts could not be embedded without one.
            checkpoint.tokenizer()?;
            Model::Decoder { checkpoint: Arc::new(checkpoint), embedder: None }
        };
        let max_tokens = settings.max_tokens;
        let (known, repeated) = (HashMap::new(), HashSet::new());
        let mut found = Self { settings, model, key: String::new(), max_tokens, known, repeated };
        found.cut_to(max_tokens)?;
        Ok(found)
    }

    /// Cuts texts after `max_tokens` tokens from now on, or at the model's own limit; weights that are read stay.
    ///
    /// # Errors
    ///
    /// Those of [`Features::open`].
    pub fn cut_to(&mut self, max_tokens: usize) -> Result<(), LmError> {
        let Self { settings, model, .. } = self;
        let (key, cut) = match model {
            Model::Sentence(embedder) => {
                embedder.cut_to(max_tokens)?;
                (embedder.hash()?, embedder.max_tokens())
            }
            Model::Decoder { checkpoint, embedder } => {
                let precision =
                    Lm::precision_of(checkpoint, &device::open(settings.device)?, settings.dtype);
                let cut = max_tokens.clamp(1, checkpoint.config.max_positions);
                if let Some(embedder) = embedder {
                    embedder.cut_to(cut)?;
                }
                (Embedder::key(checkpoint, settings.pooling, cut, precision)?, cut)
            }
        };
        settings.max_tokens = cut;
        (self.key, self.max_tokens) = (hex(Sha256::digest(key)), cut);
        // Vectors of texts that were cut elsewhere.
        self.known.clear();
        Ok(())
    }

    /// Hash of the model, its tokenizer and the settings that decide vectors.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Tokens after which a text is cut.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// What decides the vectors, by content, as a signature says it.
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::hash`].
    pub fn facts(&self) -> Result<String, LmError> {
        match &self.model {
            Model::Sentence(embedder) => embedder.facts(),
            Model::Decoder { checkpoint, .. } => {
                let EmbedSettings { pooling, dtype, device, .. } = self.settings;
                let precision = Lm::precision_of(checkpoint, &device::open(device)?, dtype);
                Embedder::facts_of(checkpoint, pooling, self.max_tokens, precision)
            }
        }
    }

    /// The model and its pooling, for people: `gpt2-large` or `gpt2-large/mean`. A sentence encoder
    /// pools as its own files say.
    pub fn name(&self) -> String {
        let model = Path::new(&self.settings.model).file_name();
        let model =
            model.map_or_else(|| self.settings.model.clone(), |n| n.to_string_lossy().into());
        match self.pooling().as_str() {
            "last" => model,
            pooling => format!("{model}/{pooling}"),
        }
    }

    /// How hidden states become one vector, in words.
    pub fn pooling(&self) -> String {
        match &self.model {
            Model::Sentence(embedder) => embedder.pooling(),
            Model::Decoder { .. } => self.settings.pooling.to_string(),
        }
    }

    /// Token ids of a text, cut as it is embedded.
    ///
    /// # Errors
    ///
    /// Those of the tokenizer.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, LmError> {
        let checkpoint = match &self.model {
            Model::Sentence(embedder) => return embedder.ids(text),
            Model::Decoder { checkpoint, .. } => checkpoint,
        };
        let mut ids = checkpoint.tokenizer()?.encode(text)?;
        ids.truncate(self.max_tokens);
        Ok(ids)
    }

    /// Says which texts will come, so that those which come in several cells are kept.
    pub fn announce<'a>(&mut self, texts: impl Iterator<Item = &'a str>) {
        let mut seen = HashSet::new();
        for text in texts {
            let hash = text_hash(text);
            if !seen.insert(hash) {
                self.repeated.insert(hash);
            }
        }
    }

    /// Features of `texts`, one row each: those at `path` if they were made of these texts, else
    /// those in `cache` if they were, else computed. They are at `path` afterwards.
    ///
    /// # Errors
    ///
    /// [`EmbedError`]; [`LmError::Interrupted`] when a stop was asked for.
    pub fn of(
        &mut self,
        texts: &[&str],
        path: &Path,
        cache: Option<&Path>,
        stop: &Stop,
        progress: &dyn Progress,
    ) -> Result<Matrix, EmbedError> {
        let origin = Origin { embedder: self.key.clone(), texts: texts_hash(texts) };
        let cached = cache.map(|folder| folder.join(format!("{}.npy", name_of(&origin))));
        if let Some(found) = stored(path, &origin, texts.len())? {
            progress.advance(texts.len() as u64, 0);
            return Ok(found);
        }
        let from_cache = cached.as_deref().and_then(|at| stored(at, &origin, texts.len()).ok()?);
        let features = match from_cache {
            Some(found) => {
                progress.advance(texts.len() as u64, 0);
                found
            }
            None => self.compute(texts, stop, progress)?,
        };
        keep(path, &origin, &features)?;
        if let Some(at) = cached {
            // A cache that cannot be written costs time, not results.
            let _ = keep(&at, &origin, &features);
        }
        Ok(features)
    }

    fn ready(&mut self, stop: &Stop) -> Result<&Embedder, LmError> {
        let Self { settings, model, .. } = self;
        let embedder = match model {
            Model::Sentence(embedder) => embedder,
            Model::Decoder { embedder: Some(embedder), .. } => embedder,
            Model::Decoder { checkpoint, embedder } => {
                let device = device::open(settings.device)?;
                let lm = Lm::load(checkpoint.clone(), &device, settings.dtype)?;
                let loaded = Embedder::new(lm, settings.pooling, settings.max_tokens);
                embedder.insert(Box::new(loaded))
            }
        };
        embedder.interrupt_by(stop.interrupt());
        Ok(embedder)
    }

    fn compute(
        &mut self,
        texts: &[&str],
        stop: &Stop,
        progress: &dyn Progress,
    ) -> Result<Matrix, EmbedError> {
        let hashes: Vec<[u8; 32]> = texts.iter().map(|text| text_hash(text)).collect();
        let mut rows: HashMap<[u8; 32], Vec<f32>> = HashMap::new();
        let mut fresh: Vec<usize> = Vec::new();
        for (i, hash) in hashes.iter().enumerate() {
            match self.known.get(hash) {
                Some(row) => drop(rows.insert(*hash, row.clone())),
                None if rows.contains_key(hash) => {}
                None => {
                    rows.insert(*hash, Vec::new());
                    fresh.push(i);
                }
            }
        }
        progress.advance((texts.len() - fresh.len()) as u64, 0);
        for part in fresh.chunks(CHUNK) {
            let embedder = self.ready(stop)?;
            let ids: Result<Vec<_>, _> = part.iter().map(|&i| embedder.ids(texts[i])).collect();
            let mut before = 0;
            let mut hear = |done: usize, _all: usize| {
                progress.advance(0, (done - before) as u64);
                before = done;
            };
            let vectors = embedder.embed_ids(&ids?, &mut hear)?;
            progress.advance(part.len() as u64, 0);
            for (row, &i) in part.iter().enumerate() {
                let vector = vectors.row(row).to_vec();
                if self.repeated.contains(&hashes[i]) {
                    self.known.insert(hashes[i], vector.clone());
                }
                rows.insert(hashes[i], vector);
            }
        }
        let dim = rows.values().next().map_or(0, Vec::len);
        let data: Vec<f32> = hashes.iter().flat_map(|hash| rows[hash].iter().copied()).collect();
        Ok(Matrix::new(dim, data)?)
    }
}

fn text_hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// SHA-256 of texts in order.
pub fn texts_hash(texts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hex(hasher.finalize())
}

fn name_of(origin: &Origin) -> String {
    hex(Sha256::digest(format!("{}|{}", origin.embedder, origin.texts)))[..32].to_owned()
}

/// The features at `path`, if they are there and were made of what `origin` says.
fn stored(path: &Path, origin: &Origin, rows: usize) -> Result<Option<Matrix>, EmbedError> {
    let beside = path.with_extension("json");
    // What is damaged is computed again; what cannot be read at all is somebody's to mend.
    let known = match read_json::<Origin>(&beside) {
        Err(StoreError::BadFile { .. }) => None,
        known => known?,
    };
    if !path.exists() || known.as_ref() != Some(origin) {
        return Ok(None);
    }
    let features = match npy::read_features(&path.display().to_string()) {
        Err(npy::FeatureError::Io(error)) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            return Err(npy::FeatureError::Io(error).into());
        }
        features => features.ok(),
    };
    Ok(features.filter(|features| features.rows() == rows))
}

/// Writes features and then what they were made of: a kill in between leaves features that are
/// computed again, never features of other texts.
fn keep(path: &Path, origin: &Origin, features: &Matrix) -> Result<(), EmbedError> {
    let beside = path.with_extension("json");
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let _ = std::fs::remove_file(&beside);
    npy::write_npy(path, features).map_err(|error| match error {
        FeatureError::Io(source) => write_error(path, source).into(),
        other => EmbedError::Feature(other),
    })?;
    write_json(&beside, origin)?;
    Ok(())
}

/// Where features of references are kept for other runs: `$XDG_CACHE_HOME/llmpr/features`, or
/// `~/.cache/llmpr/features`; `None` where there is no home.
pub fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("llmpr").join("features"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::progress::Quiet;

    #[test] // as features of older runs are labelled: they are found again only under this key
    fn the_key_of_a_bundled_model_never_changes() {
        let settings = EmbedSettings {
            model: "tiny-gpt2".into(),
            pooling: Pooling::Last,
            max_tokens: 512,
            device: DeviceChoice::Cpu,
            dtype: DtypeChoice::default(),
        };
        let features = Features::open(settings.clone()).unwrap();
        assert_eq!(
            features.key(),
            "57cc52bccd1d1e0f7ee2c743f818bc88e49f1cfa04c7e89035afd1deeac4e056"
        );
        let EmbedSettings { model, pooling, max_tokens, device, dtype } = settings;
        let embedder = Embedder::open(&model, device, dtype, pooling, max_tokens).unwrap();
        assert_eq!(features.key(), hex(Sha256::digest(embedder.hash().unwrap())));
    }

    #[test]
    fn texts_cut_shorter_have_the_vectors_of_an_embedder_opened_so_and_weights_are_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let settings = |max_tokens: usize| EmbedSettings {
            model: "tiny-gpt2".into(),
            pooling: Pooling::Last,
            max_tokens,
            device: DeviceChoice::Cpu,
            dtype: DtypeChoice::default(),
        };
        let texts = ["A text of some length, such as this one.", "B", "A text of other words."];
        let at = |name: &str| folder.path().join(name);
        let stop = Stop::default();
        let mut cut = Features::open(settings(512)).unwrap();
        cut.announce(texts.into_iter().chain(texts));
        let whole = cut.of(&texts, &at("whole.npy"), None, &stop, &Quiet).unwrap();
        let place = |features: &Features| match &features.model {
            Model::Decoder { embedder: Some(embedder), .. } => std::ptr::from_ref(&**embedder),
            _ => panic!("its weights are read"),
        };
        let before = place(&cut);
        for (tokens, own) in [(3, "3.npy"), (512, "again.npy"), (9999, "all.npy")] {
            cut.cut_to(tokens).unwrap();
            let mut fresh = Features::open(settings(tokens)).unwrap();
            assert_eq!((cut.key(), cut.max_tokens()), (fresh.key(), fresh.max_tokens()));
            assert_eq!(cut.facts().unwrap(), fresh.facts().unwrap());
            let rows = cut.of(&texts, &at(own), None, &stop, &Quiet).unwrap();
            let known = fresh.of(&texts, &at("fresh.npy"), None, &stop, &Quiet).unwrap();
            assert_eq!((&rows, rows == whole), (&known, tokens > 3));
            assert_eq!(place(&cut), before);
        }
    }

    #[test]
    fn a_sentence_encoder_embeds_a_runs_texts_as_its_own_files_say() {
        let folder = tempfile::tempdir().unwrap();
        encoder::tests::write(folder.path(), "mean_tokens", 12);
        let settings = EmbedSettings {
            model: folder.path().display().to_string(),
            pooling: Pooling::Last,
            max_tokens: 1024,
            device: DeviceChoice::Cpu,
            dtype: DtypeChoice::default(),
        };
        let mut features = Features::open(settings.clone()).unwrap();
        assert_eq!((features.max_tokens(), features.pooling().as_str()), (12, "mean+l2"));
        assert_eq!(features.ids("a b").unwrap().len(), 4);
        let path = folder.path().join("out/features.npy");
        let texts = ["a b", "c d d", "a b"];
        let stop = Stop::default();
        let rows = features.of(&texts, &path, None, &stop, &Quiet).unwrap();
        assert_eq!((rows.rows(), rows.cols()), (3, 8));
        assert_eq!(rows.row(0), rows.row(2));
        assert_ne!(rows.row(0), rows.row(1));
        for i in 0..3 {
            let square: f32 = rows.row(i).iter().map(|x| x * x).sum();
            assert!((square - 1.0).abs() < 1e-5, "{square}");
        }
        let shorter = Features::open(EmbedSettings { max_tokens: 6, ..settings }).unwrap();
        assert_ne!(shorter.key(), features.key());
        let whole = features.key().to_owned();
        features.cut_to(6).unwrap();
        assert_eq!((features.key(), features.max_tokens()), (shorter.key(), 6));
        assert!(features.cut_to(2).unwrap_err().to_string().contains("no room for a text"));
        features.cut_to(1024).unwrap();
        assert_eq!((features.key(), features.max_tokens()), (whole.as_str(), 12));
    }

    #[test]
    fn features_are_found_again_and_those_that_are_cut_anywhere_are_computed_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.npy");
        let origin = Origin { embedder: "e".into(), texts: "t".into() };
        let rows = Matrix::new(2, vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let found = |origin: &Origin, rows: usize| stored(&path, origin, rows).unwrap();
        assert_eq!(found(&origin, 2), None);
        keep(&path, &origin, &rows).unwrap();
        assert_eq!(found(&origin, 2), Some(rows));
        let other = Origin { texts: "u".into(), ..origin.clone() };
        assert_eq!((found(&origin, 3), found(&other, 2)), (None, None));
        let whole = std::fs::read(&path).unwrap();
        for bytes in 0..whole.len() {
            std::fs::write(&path, &whole[..bytes]).unwrap();
            assert_eq!(found(&origin, 2), None, "{bytes} bytes of {}", whole.len());
        }
    }
}
