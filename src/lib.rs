//! The chat session server: its edges and its wiring.
//!
//! Decisions about conversations live in `onya-core`, living processes in `onya-actors`, wire frames in
//! `onya-protocol`. This crate holds what surrounds them: settings, telemetry, identity, the edge, the store, the model,
//! the command line, and [`app`], the only module that knows all its siblings. `main.rs` is a thin caller of [`cli`].

pub mod app;
pub mod auth;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod edge;
pub mod llm;
pub mod store;
pub mod telemetry;
