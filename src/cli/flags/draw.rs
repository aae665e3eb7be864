//! What is drawn, and what it continues.

use crate::{
    cli::{layer::options, prompting::Source},
    run::settings::Batch,
    text::{
        chat::{ChatMode, Date},
        prompt::Style,
    },
};

/// What one cell's completions continue: a task's prompts, one prompt, or those of a file.
#[derive(clap::Args, Clone, Debug)]
pub struct PromptFlags {
    /// Task: a bundled name or a .toml file
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["prompt", "prompts"])]
    pub task: Option<String>,
    /// One prompt
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "prompts")]
    pub prompt: Option<String>,
    /// Prompts, one a line of .txt or one a record of .jsonl (its field `prompt`, or :FIELD)
    #[arg(long, value_name = "FILE[:FIELD]")]
    pub prompts: Option<String>,
    /// In-context examples before each prompt
    #[arg(long, value_name = "N")]
    pub shots: Option<usize>,
}

options! {
    /// How many completions are drawn, and how.
    pub struct DrawFlags {
        /// Completions of each model under each setting
        #[arg(short = 'n', long = "n", value_name = "N")]
        pub n: Option<usize>,
        /// Tokens after which a completion is cut [default: the task's, or 256 without a task]
        #[arg(long, value_name = "N")]
        pub max_new_tokens: Option<usize>,
        /// Rows computed at once; texts do not depend on it
        #[arg(long, value_name = "auto|N")]
        pub batch: Option<Batch>,
        /// Whether prompts go through the model's chat template
        #[arg(long, value_name = "auto|never|always")]
        pub chat: Option<ChatMode>,
        /// The day that chat templates see which write one, such as 2024-07-26
        #[arg(long, value_name = "YYYY-MM-DD")]
        pub date: Option<Date>,
    }
}

options! {
    /// `P`: what is compared with.
    pub struct ReferenceFlag {
        /// What the texts are held against, and where examples and prefixes come from: texts (.jsonl, .json,
        /// .txt, .csv, .parquet, .arrow, .eval, a folder of save_to_disk, each with an optional :field), or a
        /// grammar with modes left out or doubled,
        /// such as `synthetic-bio?n=500&seed=1&drop=job=painter&double=plan=prize`
        #[arg(long, value_name = "FILE[:FIELD]")]
        pub reference: Option<String>,
    }
}

/// The seed of a command that has one.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct SeedFlag {
    /// Seed of everything random
    #[arg(long, default_value_t, value_name = "SEED")]
    pub seed: u64,
}

impl PromptFlags {
    /// The prompts that are meant, `count` of a task's for `n` completions, under the seed 0.
    pub fn source(&self, n: usize, count: usize) -> Source<'_> {
        Source {
            prompt: self.prompt.as_deref(),
            prompts: self.prompts.as_deref(),
            shots: self.shots.unwrap_or_default(),
            shots_as: Style::Chat,
            reference: None,
            n,
            count,
            seed: 0,
        }
    }

    /// What leaving out the examples means.
    pub fn defaults() -> super::Defaults {
        vec![("shots", usize::default().to_string())]
    }
}

impl DrawFlags {
    /// What leaving them out means, where `n` says that of `-n`.
    pub fn defaults(n: &str) -> super::Defaults {
        let auto = || "auto".to_owned();
        vec![
            ("n", n.to_owned()),
            ("batch", auto()),
            ("chat", auto()),
            ("date", Date::default().to_string()),
        ]
    }
}
