//! The engine for processors: exact, and the same bits for any batch and number of threads.

pub(crate) mod attention;
pub(crate) mod batch;
pub mod decoder;
pub(crate) mod linear;
pub(crate) mod row_ops;
pub(crate) mod work;
