//! Nouns that know no arithmetic: rows of numbers, things that come in twos, what stands in files.

pub mod hex;
pub mod json_number;
pub mod matrix;
pub mod memory;
pub mod panics;
pub mod rows;
pub mod secret;
pub mod sides;
pub mod signature;
pub mod stop;
pub mod whole;
