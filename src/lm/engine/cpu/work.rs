//! Buffers of a forward pass of the decoder on the CPU, kept from one to the next.

use crate::math::{gemm::Workspace, simd::Lines};

/// Every buffer grows to the largest pass so far.
#[derive(Default)]
pub(crate) struct Work {
    pub tiles: Workspace,
    /// The residual stream, `rows × hidden`.
    pub x: Lines,
    pub normed: Lines,
    /// Queries, keys and values, or the MLP's first half.
    pub wide: Lines,
    pub attended: Lines,
    pub gate: Lines,
    pub projected: Lines,
    /// Rows whose states are asked for, where these are not all.
    pub gathered: Lines,
    /// What goes into an expert and what comes out of it.
    pub experts: Lines,
}
