//! From tokens to hidden states and logits, on a processor or a GPU.

pub mod cpu;
pub mod device;
pub mod kv;
pub mod logits;
pub mod model;
pub mod network;
pub mod parts;
pub(crate) mod router;
pub mod tensor;
pub mod toy;
