//! What lives: conversations, connections, completions.

pub mod ports;
