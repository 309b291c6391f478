//! What wakes a conversation: timers, open turns of the dead, and the queue.

use onya_actors::ports::AppendOutcome;
use onya_core::conversation::{Action, Actor, Overlap, Priority, ReplyEnding, Role, Signal};
use onya_core::{AssignmentId, ConversationId, ParticipantId, Timestamp};
use uuid::Uuid;

use super::Backend;
use super::fixture::Node;

pub(super) async fn due(node: &Node, now: i64, limit: usize) -> Vec<ConversationId> {
    node.log.due(Timestamp(now), limit).await.unwrap().into_iter().map(|due| due.conversation).collect()
}

/// Those of the due that the node owns already.
async fn due_and_owned(node: &Node, now: i64) -> Vec<ConversationId> {
    let due = node.log.due(Timestamp(now), 9).await.unwrap();
    due.into_iter().filter(|due| due.owned).map(|due| due.conversation).collect()
}

pub(super) async fn a_due_timer_is_found_by_whoever_may_own_it(backend: &impl Backend) {
    let (a, b) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let unowned = a.open().await;
    let own = a.talk().await;
    let mut later = a.talk().await;
    let close = later.request(later.customer(), "c1", Action::Close { control_version: None });
    let deadline = own.state.next_deadline(&onya_core::conversation::Policy::default()).unwrap().0;
    assert_eq!(due(&a, deadline - 1, 9).await, []);
    assert_eq!(due(&a, deadline, 9).await, [unowned, own.id(), later.id()]);
    assert_eq!(due(&b, deadline, 9).await, [unowned]);
    assert_eq!(due_and_owned(&a, deadline).await, [own.id(), later.id()]);
    assert_eq!(due(&a, deadline, 2).await, [unowned, own.id()]);
    later.must_store(close).await;
    assert_eq!(due(&a, i64::MAX, 9).await, [unowned, own.id()]);
    let new_a = Node::start(backend, "a").await;
    assert_eq!(due(&b, deadline, 9).await, [unowned, own.id()]);
    new_a.claim(own.id()).await;
    assert_eq!(due(&b, deadline, 9).await, [unowned]);
}

pub(super) async fn an_open_turn_of_a_dead_owner_is_found(backend: &impl Backend) {
    let (a, b) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (mut talk, mut given) = (a.talk().await, a.talk().await);
    talk.chatter(1).await;
    given.chatter(1).await;
    assert_eq!(due(&b, 0, 9).await, []);
    a.log.release(&[(given.id(), given.fence)]).await.unwrap();
    assert_eq!(due(&b, 0, 9).await, [given.id()]);
    let _new_a = Node::start(backend, "a").await;
    assert_eq!(due(&b, 0, 9).await, [talk.id(), given.id()]);
}

/// Who waits for whom, as a node sees it that these agents are connected to.
async fn forsaken(node: &Node, agents: &[ParticipantId]) -> Vec<(ConversationId, ParticipantId, bool)> {
    let forsaken = node.log.forsaken(agents, 9).await.unwrap();
    forsaken.into_iter().map(|at| (at.conversation, at.agent, at.owned)).collect()
}

pub(super) async fn a_customer_who_waits_for_an_agent_who_is_nowhere_is_found(backend: &impl Backend) {
    let (a, b) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let agent = Actor { id: ParticipantId(Uuid::now_v7()), role: Role::Agent, name: None };
    let (mut talk, mut answered) = (a.talk().await, a.talk().await);
    for talk in [&mut talk, &mut answered] {
        talk.chatter(1).await;
        let take = Action::TakeOver { control_version: 0, assignment: AssignmentId(Uuid::now_v7()) };
        let take = talk.request(agent.clone(), "t1", take);
        talk.must_store(take).await;
    }
    let text = Action::Say { text: "There you are".to_owned(), overlap: Overlap::Queue };
    let answer = answered.request(agent.clone(), "a1", text);
    answered.must_store(answer).await;
    // On PostgreSQL there may be agents at a node that has not said so.
    let _ = forsaken(&b, &[]).await;
    assert_eq!(forsaken(&a, &[]).await, [(talk.id(), agent.id, true)]);
    assert_eq!(forsaken(&a, &[agent.id]).await, []);
    assert_eq!(forsaken(&b, &[]).await, [], "the owner sees to it");
    a.log.release(&[(talk.id(), talk.fence)]).await.unwrap();
    assert_eq!(forsaken(&a, &[]).await, [(talk.id(), agent.id, false)]);
    let mut again = a.claim(talk.id()).await;
    assert_eq!(forsaken(&a, &[]).await, [(talk.id(), agent.id, true)]);
    let lost = again.signal(Signal::AgentLost { agent: agent.id });
    again.must_store(lost).await;
    assert_eq!(forsaken(&a, &[]).await, []);
}

pub(super) async fn the_queue_is_what_the_heads_say(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let (mut first, mut second) = (node.talk().await, node.talk().await);
    for talk in [&mut second, &mut first] {
        let escalate = Action::Escalate { summary: Some("urgent".to_owned()) };
        let escalate = talk.request(talk.customer(), "e1", escalate);
        talk.must_store(escalate).await;
    }
    let mut waiting = node.log.waiting().await.unwrap();
    waiting.sort_by_key(|waiting| waiting.conversation);
    let ids: Vec<_> = waiting.iter().map(|waiting| waiting.conversation).collect();
    assert_eq!(ids, [first.id(), second.id()]);
    assert_eq!(Some(&waiting[0].queued), first.state.queued.as_ref());
    assert_eq!((waiting[0].control_version, waiting[0].queued.priority), (1, Priority::Normal));
    let agent = Actor { id: ParticipantId(Uuid::now_v7()), role: Role::Agent, name: Some("Ada".to_owned()) };
    let claim = Action::Claim { control_version: 1, assignment: AssignmentId(Uuid::now_v7()) };
    let claim = first.request(agent, "c1", claim);
    first.must_store(claim).await;
    let ids: Vec<_> = node.log.waiting().await.unwrap().into_iter().map(|waiting| waiting.conversation).collect();
    assert_eq!(ids, [second.id()]);
}

fn complete(turn: u64, attempt: u32) -> Signal {
    Signal::FinishReply { turn, attempt, ending: ReplyEnding::Complete { text: "done".to_owned() } }
}

pub(super) async fn a_final_that_was_decided_before_control_changed_is_refused(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    talk.chatter(1).await;
    let turn = talk.state.turn.unwrap();
    let stale = talk.signal(complete(turn.turn, turn.attempt));
    let agent = Actor { id: ParticipantId(Uuid::now_v7()), role: Role::Agent, name: None };
    let take = Action::TakeOver { control_version: 0, assignment: AssignmentId(Uuid::now_v7()) };
    let take = talk.request(agent, "t1", take);
    talk.must_store(take).await;
    assert_eq!(talk.store(stale).await, AppendOutcome::Fenced);
    assert_eq!(backend.number("SELECT count(*) FROM turns WHERE outcome = 'taken_over'").await, 1);
    assert_eq!(backend.number("SELECT count(*) FROM entries WHERE kind = 'turn_ended'").await, 1);
}

pub(super) async fn a_turn_has_one_row_whatever_its_attempts_and_ends_once(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let mut talk = node.talk().await;
    talk.chatter(1).await;
    let first = talk.state.turn.unwrap();
    let resume = talk.signal(Signal::ResumeTurn);
    talk.must_store(resume).await;
    assert_eq!(backend.number("SELECT attempt FROM turns WHERE ended_seq IS NULL").await, 2);
    let end = talk.signal(complete(first.turn, 2));
    talk.must_store(end).await;
    assert_eq!(backend.number("SELECT count(*) FROM turns WHERE outcome = 'final' AND attempt = 2").await, 1);
    assert_eq!(backend.number("SELECT count(*) FROM turns").await, 1);
}
