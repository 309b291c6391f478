//! Nodes, customers and conversations for tests, driven by the real rules.

use std::sync::Arc;

use onya_actors::ports::{
    Append, AppendOutcome, Claim, EventLog, Fence, Link, Member, NewConversation, Owned, Page, PageFrom, TailLimit,
};
use onya_core::conversation::{
    Action, Actor, Command, Context, Entry, Overlap, Policy, Request, Role, Signal, State, View,
};
use onya_core::{ClientMsgId, ConversationId, ParticipantId, Timestamp};
use uuid::Uuid;

use super::Backend;

pub(in crate::store) const TAIL: TailLimit = TailLimit { entries: 100, bytes: 1_000_000 };

/// A registered start of a process.
pub(in crate::store) struct Node {
    pub(in crate::store) incarnation: Uuid,
    pub(in crate::store) log: Arc<dyn EventLog>,
}

impl Node {
    pub(in crate::store) async fn start(backend: &impl Backend, name: &str) -> Self {
        let incarnation = Uuid::now_v7();
        let log = backend.log(incarnation).await;
        let member = Member::alone(incarnation, name, Timestamp(1));
        log.register(&member).await.unwrap();
        Self { incarnation, log }
    }

    /// A new conversation of a new customer, without an owner.
    pub(in crate::store) async fn open(&self) -> ConversationId {
        let new = new_conversation(ParticipantId(Uuid::now_v7()), "en");
        self.log.open(new).await.unwrap().id()
    }

    /// A new conversation, claimed.
    pub(in crate::store) async fn talk(&self) -> Talk {
        self.claim(self.open().await).await
    }

    pub(in crate::store) async fn claim(&self, id: ConversationId) -> Talk {
        let owned = self.owned(id, TAIL).await;
        Talk { log: Arc::clone(&self.log), fence: owned.fence, state: owned.state, link: owned.link }
    }

    pub(in crate::store) async fn owned(&self, id: ConversationId, tail: TailLimit) -> Owned {
        match self.log.claim(id, tail).await.unwrap() {
            Claim::Owned(owned) => *owned,
            other => panic!("not owned: {other:?}"),
        }
    }

    /// The whole log, as staff see it.
    pub(in crate::store) async fn entries(&self, id: ConversationId) -> Vec<Entry> {
        let page = Page { view: View::Staff, from: PageFrom::After(0), limit: 1_000_000 };
        self.log.page(id, page).await.unwrap()
    }
}

pub(in crate::store) fn new_conversation(customer: ParticipantId, language: &str) -> NewConversation {
    let id = ConversationId(Uuid::now_v7());
    let opening = State::opening(customer, language.to_owned(), [7; 16], Timestamp(1_000));
    let head = State::open(id, &opening).unwrap().head(&Policy::default());
    NewConversation { id, opening, head }
}

/// A conversation in the hands of its owner.
#[derive(Clone)]
pub(in crate::store) struct Talk {
    pub(in crate::store) log: Arc<dyn EventLog>,
    pub(in crate::store) fence: Fence,
    pub(in crate::store) state: State,
    pub(in crate::store) link: Link,
}

impl Talk {
    pub(in crate::store) const fn id(&self) -> ConversationId {
        self.state.id
    }

    pub(in crate::store) fn customer(&self) -> Actor {
        Actor { id: self.state.customer, role: Role::Customer, name: None }
    }

    /// What the rules make of a command; not stored yet.
    pub(in crate::store) fn decide(&self, command: &Command) -> Append {
        let policy = Policy::default();
        let now = self.state.last_at.plus_ms(1_000);
        let context = Context { now, policy: &policy, reply: None, known: &[] };
        let entries = self.state.decide(&context, command).unwrap().entries;
        let mut after = self.state.clone();
        entries.iter().for_each(|entry| after.apply(entry));
        Append {
            conversation: self.id(),
            fence: self.fence,
            expected_seq: self.state.seq,
            previous: self.link,
            entries: entries.into(),
            head: after.head(&policy),
            snapshot: None,
        }
    }

    pub(in crate::store) fn request(&self, by: Actor, id: &str, action: Action) -> Append {
        let client_msg_id = ClientMsgId::new(id).unwrap();
        self.decide(&Command::Request(Request { by, client_msg_id, after: None, action }))
    }

    pub(in crate::store) fn say(&self, id: &str, text: &str) -> Append {
        let action = Action::Say { text: text.to_owned(), overlap: Overlap::Queue };
        self.request(self.customer(), id, action)
    }

    pub(in crate::store) fn signal(&self, signal: Signal) -> Append {
        self.decide(&Command::Signal(signal))
    }

    /// Takes an append into the state, as its owner does once it is stored.
    pub(in crate::store) fn apply(&mut self, append: &Append, link: Link) {
        self.link = link;
        append.entries.iter().for_each(|entry| self.state.apply(entry));
    }

    /// Stores one append and applies it if it is accepted.
    pub(in crate::store) async fn store(&mut self, append: Append) -> AppendOutcome {
        let outcome = self.log.append(std::slice::from_ref(&append)).await.unwrap().remove(0);
        if let AppendOutcome::Accepted(link) = outcome {
            self.apply(&append, link);
        }
        outcome
    }

    pub(in crate::store) async fn must_store(&mut self, append: Append) {
        let outcome = self.store(append).await;
        assert!(outcome.is_accepted(), "{outcome:?}");
    }

    /// Says so many things, numbered.
    pub(in crate::store) async fn chatter(&mut self, count: usize) {
        for number in 0..count {
            let append = self.say(&format!("chatter-{}-{number}", self.state.seq), &format!("text {number}"));
            self.must_store(append).await;
        }
    }
}
