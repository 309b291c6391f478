//! The order in which maps are gone through.

use std::hash::{BuildHasherDefault, DefaultHasher};

/// Hashes alike in every process: what is gone through comes in the same order each time the same things have happened, so
/// that a run in simulated time can be repeated. Only for keys that a server draws, never for what a client chooses.
pub(crate) type SameOrder = BuildHasherDefault<DefaultHasher>;
