//! A wall clock that is wrong for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use onya_actors::ports::Clock;
use onya_actors::testing::{MemoryAudit, MemoryLog, PausedClock, ScriptedModel, SeededRandom};
use onya_actors::{Ports, Sessions, Settings};
use onya_core::conversation::{Action, Control, Overlap, Policy, Request, Role};
use onya_core::{AssignmentId, ClientMsgId, ConversationId, ParticipantId, Timestamp};
use tokio::time::sleep;
use uuid::Uuid;

use super::world::{AGENT, CUSTOMER, person};

/// A clock that can be set.
#[derive(Default)]
struct SetClock {
    right: PausedClock,
    ahead_ms: AtomicI64,
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.right.now().0 + self.ahead_ms.load(Ordering::Relaxed))
    }
}

async fn ask(sessions: &Sessions, id: ConversationId, (who, role): (u128, Role), action: Action) {
    let client_msg_id = ClientMsgId::new(format!("{role:?}")).unwrap();
    sessions.request(id, Request { by: person(who, role), client_msg_id, after: None, action }, None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_was_set_while_the_clock_was_an_hour_behind_is_not_an_hour_late() {
    let policy = Policy { idle_close_ms: 300_000, ..Policy::default() };
    let settings = Settings { policy, agent_lost_after_ms: 0, ..Settings::default() };
    let (log, clock) = (Arc::new(MemoryLog::default()), Arc::new(SetClock::default()));
    let ports = Ports {
        log: Arc::<MemoryLog>::clone(&log),
        audit: Arc::new(MemoryAudit::default()),
        model: Arc::new(Arc::new(ScriptedModel::default())),
        clock: Arc::<SetClock>::clone(&clock),
        random: Arc::new(SeededRandom::new(1)),
        cluster: None,
    };
    let sessions = Sessions::start(ports, settings).await.unwrap();
    let id = sessions.open(ParticipantId(Uuid::from_u128(CUSTOMER)), "en").await.unwrap().id();
    let take = Action::TakeOver { control_version: 0, assignment: AssignmentId(Uuid::from_u128(9)) };
    ask(&sessions, id, (AGENT, Role::Agent), take).await;
    let question = Action::Say { text: "hello?".into(), overlap: Overlap::Queue };
    ask(&sessions, id, (CUSTOMER, Role::Customer), question).await;
    // It is loaded, and its timer set, by the wrong clock.
    clock.ahead_ms.store(-3_600_000, Ordering::Relaxed);
    sleep(Duration::from_secs(400)).await;
    clock.ahead_ms.store(0, Ordering::Relaxed);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(log.state(id).unwrap().control, Control::Queue);
}
