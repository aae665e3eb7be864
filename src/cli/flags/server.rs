//! How servers are treated.

use crate::{
    cli::layer::options,
    lm::server::{Patience, ServerTerms},
};

options! {
    /// How servers are treated.
    pub struct ServerFlags {
        /// How long a request to a server may go without progress while it is busy, broken or away
        #[arg(long, value_name = "90s|15m|2h")]
        pub server_patience: Option<Patience>,
        /// Go on where a setting has no effect on a server, which scores then say
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
        pub allow_ignored: Option<bool>,
    }
}

impl ServerFlags {
    /// These, as the library takes them.
    pub fn terms(&self) -> ServerTerms {
        ServerTerms {
            patience: self.server_patience.unwrap_or_default(),
            allow_ignored: self.allow_ignored.unwrap_or_default(),
        }
    }

    /// What leaving them out means.
    pub fn defaults() -> super::Defaults {
        vec![("server_patience", Patience::default().to_string())]
    }
}
