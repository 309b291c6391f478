//! Requests and answers, one resource a file. A handler reads, asks [`onya_actors::Sessions`], and answers; bodies and
//! failures have the form that `docs/API.md` promises.

pub(super) mod commands;
pub(super) mod conversations;
pub(super) mod description;
pub(super) mod entries;
pub(super) mod erasure;
pub(super) mod health;
pub(super) mod members;
pub(super) mod pages;
pub(super) mod queue;
pub(super) mod responses;
pub(super) mod search;
pub(super) mod tokens;
pub(super) mod transcript;
