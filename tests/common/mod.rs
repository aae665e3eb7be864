//! What the integration tests share.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

#[path = "../../src/shared_data.rs"]
mod shared_data;

pub use shared_data::{shared, skipped};
