//! The root of the tree: starts the parts every conversation needs, and ends the process if one of them dies.
//!
//! A conversation's actor is started again by the directory. The parts under this root are not: all that was
//! acknowledged is in the store, so the safe answer to a fault in one of them is a new process, which starts in a
//! second and shares nothing with the broken one.

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::watch;

pub(crate) struct Supervisor;

impl Actor for Supervisor {
    type Msg = ();
    type State = watch::Sender<bool>;
    type Arguments = watch::Sender<bool>;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        failed: watch::Sender<bool>,
    ) -> Result<watch::Sender<bool>, ActorProcessingErr> {
        Ok(failed)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        failed: &mut watch::Sender<bool>,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(actor, error) = event {
            tracing::error!(actor = %actor.get_id(), %error, "a part that everything needs has crashed: the process ends");
            failed.send_replace(true);
        }
        Ok(())
    }
}
