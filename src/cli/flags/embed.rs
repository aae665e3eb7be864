//! What turns texts into features, and where models run.

use anyhow::bail;

use crate::{
    cli::layer::options,
    lm::{
        LmError,
        embed::{EMBED_TOKENS, Embedder, Pooling},
        engine::device::{DeviceChoice, DtypeChoice},
    },
};

options! {
    /// How texts become features.
    pub struct EmbedFlags {
        /// Model that embeds texts: folder, .gguf file, hub id or bundled name
        #[arg(long, value_name = "MODEL")]
        pub embedder: Option<String>,
        /// Which hidden states make a feature: the last token's or the mean
        #[arg(long, value_name = "last|mean")]
        pub pooling: Option<Pooling>,
        /// Tokens after which a text is cut before it is embedded
        #[arg(long, value_name = "N", alias = "max-tokens")]
        pub embed_tokens: Option<usize>,
    }
}

options! {
    /// Where models run.
    pub struct DeviceFlags {
        /// Device
        #[arg(long, value_name = "auto|cpu|cuda:N")]
        pub device: Option<DeviceChoice>,
        /// Number type
        #[arg(long, value_name = "auto|f32|f16|bf16")]
        pub dtype: Option<DtypeChoice>,
    }
}

impl EmbedFlags {
    /// Tokens after which a text is cut.
    ///
    /// # Errors
    ///
    /// A sentence where nothing would be left.
    pub fn tokens(&self) -> anyhow::Result<usize> {
        match self.embed_tokens.unwrap_or(EMBED_TOKENS) {
            0 => bail!("--embed-tokens 0 leaves nothing to embed; use 1 or more"),
            tokens => Ok(tokens),
        }
    }

    /// Opens `model` as these flags say; `tokens` are [`Self::tokens`].
    ///
    /// # Errors
    ///
    /// Those of [`Embedder::open`].
    pub fn open(
        &self,
        model: &str,
        tokens: usize,
        device: &DeviceFlags,
    ) -> Result<Embedder, LmError> {
        let pooling = self.pooling.unwrap_or_default();
        Embedder::open(model, device.device(), device.dtype(), pooling, tokens)
    }

    /// What leaving out pooling and length means.
    pub fn defaults() -> super::Defaults {
        vec![
            ("pooling", Pooling::default().to_string()),
            ("embed_tokens", EMBED_TOKENS.to_string()),
        ]
    }
}

impl DeviceFlags {
    /// The device that is asked for.
    pub fn device(&self) -> DeviceChoice {
        self.device.unwrap_or_default()
    }

    /// The number type that is asked for.
    pub fn dtype(&self) -> DtypeChoice {
        self.dtype.unwrap_or_default()
    }

    /// What leaving them out means.
    pub fn defaults() -> super::Defaults {
        let auto = || "auto".to_owned();
        vec![("device", auto()), ("dtype", auto())]
    }
}
