//! A model of how several pods share one store, for [stateright], which looks at every interleaving of it.
//!
//! ```text
//!  customer, agent             pod A                                 store
//!  (client)      ── copies ──▶ (pod, owner) ── statements ─────────▶ (store)
//!                ◀── told ───  decides by       claim · append ·      row: owner, epoch, nonce, last_seq, lock
//!  reader        ◀── shown ──  onya-core        release               log · members: live, draining, dead
//!                              pod B ────────── (the same) ────────▶
//!                                               orphans: statements that nobody waits for any more
//! ```
//!
//! A [`scenario`] says which commands are given and how often each fault may strike. The [`steps`] are those of the
//! protocol and the faults; [`possible`] says when each can be taken. There is no time: whatever can happen may happen much
//! later, so a slow process, a late packet and a passed time limit need no step of their own. A scenario has an end, and all of
//! its states are looked at, without a limit of depth.
//!
//! What must hold is in [`properties`], what must be reached for that to mean something in [`reached`], that every path ends
//! in [`endings`]. [`planted`] has what can be wrong on purpose; each must break a property, or the properties prove little.
//! `docs/RELIABILITY.md` says what all of this shows.
//!
//! # In the model
//!
//! - What an owner decides: that is `onya-core` itself, on a state made from the entries that the owner knows.
//! - The row's lock, the fence and the unique keys, as in `src/store/postgres/queries/append.sql`, `src/store/queries/take.sql`
//!   and their neighbours. An append is one step, because one statement holds the lock. A claim is two, with the look at the
//!   members in the first: a verdict may come in between.
//! - What becomes of a statement: carried out late or never, its answer lost, or not taken just now; and the order commit, show,
//!   acknowledge, ask the model, as in `actors/src/conversation/outcome.rs`.
//! - Incarnations, verdicts right and wrong, drain, hand-over, passivation, and a store that goes back with everything in it.
//! - Repeats: recognised from memory, or by the store alone (`forgets`).
//!
//! # Not in the model
//!
//! - How a verdict comes about (leases, heartbeats, two observers): here a living process may simply be declared dead.
//! - Who routes: any owner, also one that only believes to be one, may take up any copy of a command.
//! - Links between pods, and how a reader gets what nobody publishes again. One reader hears both pods, and reads the store if
//!   something is missing before what it hears.
//! - Text of a reply in progress, timers, the queue, erasure, the audit's chain, several conversations in one batch, and an
//!   append that is poisoned.
//! - Two processes of one pod at once: a slow process and the other pod stand for them.
//! - PostgreSQL: that a lock is one and a commit is durable is taken for granted; the fault campaigns try that.
//!
//! [stateright]: https://docs.rs/stateright

pub mod client;
pub mod endings;
pub mod log;
pub mod owner;
pub mod planted;
pub mod pod;
pub mod possible;
pub mod properties;
pub mod reached;
mod rules;
pub mod scenario;
pub mod scenarios;
pub mod steps;
pub mod store;
pub mod trace;
pub mod world;
