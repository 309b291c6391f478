//! The edge's end of a link: what this node asks of an owner, and what it is shown.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use onya_core::{ConversationId, Incarnation};
use onya_protocol::peer::{DIGEST_SINCE, Outcome, Reached, Tag, ToEdge, ToOwner};
use onya_protocol::{CloseCode, Cursor, Refusal, Typing};
use tokio::sync::oneshot;

use super::queue::LinkQueue;
use crate::connection::{Attempt, Published, Subscriber};
use crate::conversation::Command;
use crate::directory::Row;
use crate::ports::LinkEnd;
use crate::system::System;

/// The way to one member, while a transport carries its frames.
pub struct OwnerLink {
    pub(crate) owner: Incarnation,
    myself: Weak<Self>,
    system: Weak<System>,
    queue: LinkQueue<ToOwner>,
    open: AtomicBool,
    /// Of the frames that both ends speak.
    version: AtomicU16,
    asked: Mutex<AskedFor>,
}

/// What was asked and is not answered.
#[derive(Debug, Default)]
struct AskedFor {
    next: Tag,
    by_tag: BTreeMap<Tag, Asked>,
    closed: bool,
}

#[derive(Debug)]
enum Asked {
    Watch { subscriber: Arc<Subscriber>, attempt: Attempt, done: oneshot::Sender<Watched> },
    Command(ConversationId),
}

/// What became of a reader who was to be brought up to date by another node.
#[derive(Debug)]
pub(crate) enum Watched {
    /// It is, and hears of what comes.
    Shown,
    /// It may not be shown anything.
    Refused(Refusal),
    /// The conversation is not there, but with this member, as far as is known.
    Elsewhere(Option<Incarnation>),
    /// The link is lost.
    Lost,
}

impl OwnerLink {
    pub(crate) fn new(owner: Incarnation, system: &Arc<System>) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            owner,
            myself: Weak::clone(myself),
            system: Arc::downgrade(system),
            queue: LinkQueue::new(),
            open: AtomicBool::new(false),
            version: AtomicU16::new(0),
            asked: Mutex::default(),
        })
    }

    /// The transport has reached the member and knows that it is the one meant; both speak this version of the frames.
    pub fn opened(&self, version: u16) {
        self.version.store(version, Ordering::Relaxed);
        self.open.store(true, Ordering::Release);
        if let (Some(system), Some(myself)) = (self.system.upgrade(), self.myself.upgrade())
            && let Some(peers) = &system.peers
        {
            peers.link_opened(&myself);
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// The link is no more: what was asked will not be answered.
    pub(crate) fn lost(&self) {
        self.open.store(false, Ordering::Release);
        self.queue.close();
        let mut asked = self.lock();
        asked.closed = true;
        for asked in mem::take(&mut asked.by_tag).into_values() {
            if let Asked::Watch { done, .. } = asked {
                // Who asked may have gone away.
                let _ = done.send(Watched::Lost);
            }
        }
    }

    /// Sends a command; its name on this link, or `None` if the link is lost.
    pub(crate) fn submit(&self, conversation: ConversationId, command: &Command) -> Option<Tag> {
        let tag = self.ask(Asked::Command(conversation))?;
        let Command { request, traceparent, .. } = command;
        let (request, traceparent) = (request.clone(), traceparent.clone());
        self.queue.push(ToOwner::Submit { tag, conversation, request, traceparent }).then_some(tag)
    }

    /// Has a reader of this node brought up to date by the owner.
    pub(crate) async fn watch(
        &self,
        (subscriber, attempt): (&Arc<Subscriber>, Attempt),
        cursor: Option<Cursor>,
    ) -> Watched {
        let (done, watched) = oneshot::channel();
        let asked = Asked::Watch { subscriber: Arc::clone(subscriber), attempt, done };
        let Some(tag) = self.ask(asked) else { return Watched::Lost };
        let (conversation, view, reader) = (subscriber.conversation, subscriber.view, subscriber.reader);
        self.queue.push(ToOwner::Watch { tag, conversation, view, reader, cursor });
        watched.await.unwrap_or(Watched::Lost)
    }

    /// No reader of this node is left.
    pub(crate) fn forget(&self, conversation: ConversationId) {
        self.queue.push(ToOwner::Forget { conversation });
    }

    /// How far readers of this node are that this owner shows something; a release from before digests is told nothing.
    pub(super) fn digest(&self, reached: Vec<Reached>) {
        if self.version.load(Ordering::Relaxed) >= DIGEST_SINCE {
            self.queue.push(ToOwner::Digest { reached });
        }
    }

    /// Somebody on this node is writing.
    pub(crate) fn typing(&self, typing: Typing) {
        self.queue.push(ToOwner::Typing(typing));
    }

    /// Notes a question, unless the link is lost already.
    fn ask(&self, asked: Asked) -> Option<Tag> {
        let mut all = self.lock();
        if all.closed {
            return None;
        }
        all.next += 1;
        let tag = all.next;
        all.by_tag.insert(tag, asked);
        Some(tag)
    }

    fn answered(&self, tag: Tag) -> Option<Asked> {
        self.lock().by_tag.remove(&tag)
    }

    fn outcome(&self, system: &Arc<System>, tag: Tag, outcome: Outcome) {
        let Some(Asked::Command(conversation)) = self.answered(tag) else { return };
        let Some(row) = system.directory.find(conversation) else { return };
        if let Some(course) = row.course().as_mut() {
            course.answered(self.owner, tag, outcome);
        }
    }

    fn elsewhere(&self, system: &Arc<System>, tag: Tag, owner: Option<Incarnation>) {
        match self.answered(tag) {
            // Who asked may have gone away.
            Some(Asked::Watch { done, .. }) => drop(done.send(Watched::Elsewhere(owner))),
            Some(Asked::Command(conversation)) => {
                let Some(row) = system.directory.find(conversation) else { return };
                let mut goes_on = false;
                if let Some(course) = row.course().as_mut() {
                    goes_on = course.given_back(self.owner, tag) && owner.is_some();
                    course.heard(owner);
                }
                if owner.is_some_and(|owner| system.is_this(owner)) && system.hands_over(&row) {
                    system.directory.let_go_soon(system, conversation);
                } else if let Some(peers) = system.peers.as_ref().filter(|_| goes_on) {
                    peers.stir();
                }
            }
            None => {}
        }
    }

    /// The row of a conversation that this owner shows to the readers of this node.
    fn shown(&self, system: &System, conversation: ConversationId) -> Option<Arc<Row>> {
        let row = system.directory.find(conversation)?;
        let attached = row.course().as_ref().and_then(|course| course.attached());
        (attached == Some(self.owner)).then_some(row)
    }

    fn show(&self, system: &System, conversation: ConversationId, published: &Published) {
        if let Some(row) = self.shown(system, conversation) {
            row.show(published);
        }
    }

    fn moved(&self, system: &Arc<System>, conversation: ConversationId, owner: Option<Incarnation>) {
        let Some(row) = system.directory.find(conversation).filter(|row| !row.is_live()) else { return };
        {
            let mut course = row.course();
            let Some(course) = course.as_mut() else { return };
            // Who has the conversation says so to whoever should, who may have shown to readers what is stored.
            if course.attached() != Some(self.owner) && owner != Some(self.owner) {
                return;
            }
            course.heard(owner);
            course.attach(None);
        }
        if let Some(peers) = &system.peers {
            peers.adrift(conversation);
        }
    }

    fn lock(&self) -> MutexGuard<'_, AskedFor> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LinkEnd for OwnerLink {
    type Sent = ToOwner;
    type Received = ToEdge;

    async fn next(&self) -> Option<VecDeque<ToOwner>> {
        self.queue.next().await
    }

    fn received(&self, frame: ToEdge) {
        let Some(system) = self.system.upgrade() else { return };
        match frame {
            ToEdge::Standing { tag, synced, owned } => {
                if let Some(row) = self.shown(&system, synced.conversation) {
                    // If it does not own it, it shows it because it should: that changes with the members.
                    row.course().get_or_insert_default().heard(owned.then_some(self.owner));
                }
                if let Some(Asked::Watch { subscriber, attempt, done }) = self.answered(tag) {
                    subscriber.begin(attempt, synced);
                    // Who asked may have gone away.
                    let _ = done.send(Watched::Shown);
                }
            }
            ToEdge::NotShown { tag, refusal } => {
                if let Some(Asked::Watch { done, .. }) = self.answered(tag) {
                    // Who asked may have gone away.
                    let _ = done.send(Watched::Refused(refusal));
                }
            }
            ToEdge::Outcome { tag, outcome } => self.outcome(&system, tag, outcome),
            ToEdge::Elsewhere { tag, owner } => self.elsewhere(&system, tag, owner),
            ToEdge::Moved { conversation, owner } => self.moved(&system, conversation, owner),
            ToEdge::Entry(shown) => {
                let Some(row) = self.shown(&system, shown.conversation) else { return };
                // Nobody else can have stored it.
                row.course().get_or_insert_default().heard(Some(self.owner));
                row.show_from_elsewhere(&Published::Entry(shown.into()));
            }
            ToEdge::Delta(delta) => {
                if let Some(row) = self.shown(&system, delta.conversation) {
                    row.show_delta(delta);
                }
            }
            ToEdge::Reset(reset) => self.show(&system, reset.conversation, &Published::Reset(reset)),
            ToEdge::Typing(typing) => self.show(&system, typing.conversation, &Published::Typing(typing)),
            ToEdge::Confirm { tag } => {
                // What was published before is in the sockets' queues, and the queues have dropped what it withdrew.
                self.queue.push(ToOwner::Confirmed { tag });
            }
            ToEdge::CutCustomers { conversation } => {
                if let Some(row) = system.directory.find(conversation) {
                    row.cut_customers(CloseCode::InsufficientState);
                }
            }
            ToEdge::Waits(waiting) => system.desk.waits(*waiting),
            ToEdge::WaitsNoMore { conversation } => system.desk.waits_no_more(conversation),
        }
    }
}

impl fmt::Debug for OwnerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerLink").field("owner", &self.owner).finish_non_exhaustive()
    }
}
