//! Exact nearest neighbors by blocked matrix products.

use serde::{Deserialize, Serialize};

/// Whether a point exactly on a radius is inside the ball.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ties {
    /// `<`: outside, as in `prdc` and the ACL 2024 code.
    #[default]
    Strict,
    /// `≤`: inside, as in Kynkäänniemi et al.
    Inclusive,
}
