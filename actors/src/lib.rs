//! What lives: one process per conversation, a task per socket and per model call, and those that serve them all.
//!
//! ```text
//! supervisor                     a crash below it, but of a conversation, ends the process
//! ├── persistence lane × n       batches of appends, one in flight per lane
//! ├── desk                       who waits for a person
//! ├── sweeper                    wakes due timers and abandoned turns
//! ├── watchdog                   reports and replaces conversations that do not move
//! └── directory                  starts conversations on demand, starts them again after a crash
//!     └── conversation × many    decide → append → apply → publish → acknowledge → effects
//!         └── completion         a task: one call of the model
//! connection × many              a task of the edge: one per socket
//! roster                         a task: this node among the members of a cluster
//! ```
//!
//! [`Sessions`] is the way in. [`ports`] is the way out: the store, the model, time and randomness. There is no HTTP,
//! no SQL and no JSON here, and no rule about conversations: those are in [`onya_core`].

mod absence;
mod activation;
mod completion;
mod connection;
mod conversation;
mod desk;
mod directory;
mod erasure;
mod guard;
mod membership;
mod order;
pub mod persistence;
pub mod planted;
pub mod ports;
mod reading;
mod record;
mod relay;
mod release;
mod sessions;
mod settings;
mod supervisor;
mod sweeper;
mod system;
#[cfg(feature = "testing")]
pub mod testing;
mod watchdog;

pub use connection::{CustomerConnection, SendQueue, SendQueueLimits, ShortCut, StaffConnection, Written};
pub use erasure::ErasedConversation;
pub use membership::{Expelled, Identity, Roster};
pub use reading::EntriesPage;
pub use record::{Looked, Refused};
pub use relay::{EdgeLink, OwnerLink};
pub use sessions::{Ports, Sessions, StartError};
pub use settings::Settings;
