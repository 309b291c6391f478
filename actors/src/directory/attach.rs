//! Bringing readers up to date, from wherever their conversation is.
//!
//! A reader is registered first and brought up to date after, so that nothing falls in between. On the node that owns a
//! conversation its actor answers, or, while there is none, one read of the log's end. A reader on another node asks that
//! node, which from then on tells this one what it publishes: the readers are *attached*. When the conversation moves or
//! the link is lost they are *adrift*, and are brought up to date again from where they are.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use onya_core::conversation::View;
use onya_core::{ConversationId, Incarnation, Seq};
use onya_protocol::{CloseCode, Cursor, ErrorCode, LiveTurn, Refusal};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Directory;
use super::dispatch::Way;
use super::row::Row;
use crate::connection::{Standing, Subscriber, Viewer, synced};
use crate::conversation::{Message, busy};
use crate::planted::{self, Fault};
use crate::ports::{Summary, Tail, TailLimit};
use crate::reading::not_read;
use crate::relay::{Peers, Watched};
use crate::system::System;

/// Times that a reader is brought up to date by another actor or node because the one before it left, and the first pause.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Conversations whose readers are attached again at a time.
const REATTACHED_AT_ONCE: usize = 256;
/// Longest time that a reader is shown nothing because its conversation's node cannot be reached: longer than it takes to
/// find a node dead.
const REATTACHED_WITHIN: Duration = Duration::from_secs(15);

/// What became of an attempt to bring a reader up to date.
enum Attached {
    /// It is, and hears of what comes.
    Done,
    /// Another node has the conversation.
    Elsewhere(Option<Incarnation>),
    /// The actor or the link was lost: again, after a pause.
    Again,
}

impl Directory {
    /// Registers the reader first, then brings it up to date. If the conversation's node cannot be reached, it is shown
    /// what is stored, and stays adrift until the node can be, or there is another.
    pub(crate) async fn subscribe(
        &self,
        system: &Arc<System>,
        subscriber: &Arc<Subscriber>,
        cursor: Option<Cursor>,
    ) -> Result<(), Refusal> {
        let (row, attempt) = self.register(subscriber);
        let viewer = Viewer::Here(Arc::clone(subscriber), attempt);
        let outcome = match self.attach(system, &row, (&viewer, cursor)).await {
            Ok(true) => Ok(()),
            Ok(false) => self.show_stored(system, &row, (&viewer, cursor)).await,
            Err(refusal) => Err(refusal),
        };
        if outcome.is_err() {
            drop(row);
            self.unsubscribe(system, subscriber);
        }
        outcome
    }

    /// Brings a reader up to date; `false` if the conversation's node cannot be reached now.
    async fn attach(
        &self,
        system: &Arc<System>,
        row: &Arc<Row>,
        (viewer, cursor): (&Viewer, Option<Cursor>),
    ) -> Result<bool, Refusal> {
        let Viewer::Here(subscriber, begun) = viewer else { return Ok(false) };
        for attempt in 0..ATTEMPTS {
            if subscriber.has_ended() {
                return Ok(true);
            }
            let attached = match self.way_of(system, row) {
                Way::Here => {
                    subscriber.attached(self.attached_to(system, row, system.peers.as_ref().map(Peers::me)));
                    self.show_here(system, row, (viewer, cursor)).await?
                }
                Way::There(link) => {
                    // Before it is shown anything: what follows is for it as well.
                    subscriber.attached(self.attached_to(system, row, Some(link.owner)));
                    match link.watch((subscriber, *begun), cursor).await {
                        Watched::Shown => Attached::Done,
                        Watched::Refused(refusal) => return Err(refusal),
                        Watched::Elsewhere(owner) => Attached::Elsewhere(owner),
                        Watched::Lost => Attached::Again,
                    }
                }
                Way::Nowhere if attempt == 0 => stored_owner_in_reach(system, row).await,
                Way::Nowhere => Attached::Again,
            };
            match attached {
                // It has been taken out of the row: whoever was asked must not go on for nobody.
                Attached::Done if subscriber.has_ended() && !row.has_readers() => {
                    self.detach(system, row);
                    return Ok(true);
                }
                Attached::Done => {
                    self.overtaken(system, row, subscriber);
                    return Ok(true);
                }
                Attached::Elsewhere(Some(owner)) if system.is_this(owner) && system.hands_over(row) => {
                    self.let_go(system, row).await;
                }
                Attached::Elsewhere(owner) if owner.is_some() => row.course().get_or_insert_default().heard(owner),
                Attached::Elsewhere(_) | Attached::Again => {
                    tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt)).await;
                }
            }
        }
        if system.peers.is_some() { Ok(false) } else { Err(busy("the conversation cannot be loaded now")) }
    }

    fn way_of(&self, system: &Arc<System>, row: &Row) -> Way {
        if system.peers.is_none() {
            return Way::Here;
        }
        self.way(system, row, row.course().get_or_insert_default())
    }

    /// Notes who shows the conversation to the readers, and which attachment that is; who did before need not any more, and
    /// whoever it showed it to is adrift.
    fn attached_to(&self, system: &System, row: &Row, node: Option<Incarnation>) -> Option<u64> {
        let peers = system.peers.as_ref()?;
        let (before, attachment) = {
            let mut course = row.course();
            let course = course.get_or_insert_default();
            (course.attach(node), course.attachment())
        };
        if let Some(before) = before.filter(|before| Some(*before) != node) {
            if let Some(link) = peers.owner_link(before) {
                link.forget(row.id);
            }
            peers.adrift(row.id);
        }
        attachment
    }

    /// The conversation may have moved while a reader was brought up to date from where it was: then it is adrift.
    fn overtaken(&self, system: &System, row: &Row, reader: &Subscriber) {
        if let Some(peers) = system.peers.as_ref().filter(|_| !is_attached(row, reader)) {
            peers.adrift(row.id);
        }
    }

    /// No reader of this node is left: who showed them the conversation need not any more.
    pub(super) fn detach(&self, system: &System, row: &Row) {
        if row.course().as_ref().is_some_and(|course| course.attached().is_some()) {
            self.attached_to(system, row, None);
        }
    }

    /// Brings somebody up to date from this node: from the live actor, else by one read of the log's end, without a claim.
    /// A conversation whose reply is in progress but whose actor is gone is activated.
    async fn show_here(
        &self,
        system: &Arc<System>,
        row: &Arc<Row>,
        (viewer, cursor): (&Viewer, Option<Cursor>),
    ) -> Result<Attached, Refusal> {
        let handle = match row.open_handle() {
            Some(_) if let Some(owner) = taken_meanwhile(system, row).await? => return Ok(Attached::Elsewhere(owner)),
            Some(handle) => handle,
            None => match from_tail(system, viewer, cursor).await? {
                FromTail::Shown { owned } => {
                    if let (Viewer::Here(..), Some(peers)) = (viewer, &system.peers) {
                        // Others may have named this node because it should own it. Should that change, it is another one's.
                        row.course().get_or_insert_default().heard(owned.then(|| peers.me()));
                    }
                    return Ok(Attached::Done);
                }
                FromTail::OwnedBy(owner) => return Ok(Attached::Elsewhere(Some(owner))),
                FromTail::TurnIsOpen => self.activate(system, row.id)?,
            },
        };
        let (done, synchronised) = oneshot::channel();
        let message = Message::Synchronise { viewer: viewer.clone(), cursor, done };
        // An actor that left before it got here has dropped `done`: start over.
        let _ = handle.actor.cast(message);
        // Holding the handle would keep a message alive that nobody reads any more.
        drop(handle);
        match synchronised.await {
            Ok(outcome) => outcome.map(|()| Attached::Done),
            Err(_) => Ok(Attached::Again),
        }
    }

    /// Shows a reader of this node what is stored, although nobody tells this node what comes: it stays adrift.
    async fn show_stored(
        &self,
        system: &Arc<System>,
        row: &Arc<Row>,
        (viewer, cursor): (&Viewer, Option<Cursor>),
    ) -> Result<(), Refusal> {
        self.attached_to(system, row, None);
        let tail = tail_for(system, viewer).await?;
        viewer.begin(synced(standing(system, &tail), cursor, viewer.view(), system.settings.shown()), false);
        if let Some(peers) = &system.peers {
            peers.adrift(row.id);
        }
        Ok(())
    }

    /// From now on another node is shown what is published.
    pub(crate) fn watched_by(&self, viewer: &Viewer) {
        if let Viewer::There { edge, conversation, view, .. } = viewer {
            self.row(*conversation).watched_by(edge, *view);
        }
    }

    /// Brings a reader of another node up to date. `Ok(Some)`: who has the conversation instead, as far as is known. The
    /// other node says itself when nobody reads there any more.
    pub(crate) async fn watch_from_edge(
        &self,
        system: &Arc<System>,
        viewer: &Viewer,
        cursor: Option<Cursor>,
    ) -> Result<Option<Option<Incarnation>>, Refusal> {
        let row = self.row(viewer.conversation());
        for attempt in 0..ATTEMPTS {
            if system.hands_over(&row) {
                return Ok(Some(self.let_go(system, &row).await));
            }
            match self.show_here(system, &row, (viewer, cursor)).await? {
                Attached::Done => return Ok(None),
                Attached::Elsewhere(owner) => return Ok(Some(owner)),
                Attached::Again => tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt)).await,
            }
        }
        let heard = row.course().as_ref().and_then(|course| course.heard_of());
        Ok(Some(heard.or_else(|| system.wished_owner(row.id))))
    }

    /// Brings the readers of conversations that are adrift up to date again, from where they are.
    pub(crate) async fn reattach(&self, system: &Arc<System>, adrift: Vec<ConversationId>) {
        let reattaching = adrift.into_iter().map(|conversation| self.reattach_one(system, conversation));
        futures::stream::iter(reattaching).buffer_unordered(REATTACHED_AT_ONCE).collect::<()>().await;
    }

    async fn reattach_one(&self, system: &Arc<System>, conversation: ConversationId) {
        let (Some(row), Some(peers)) = (self.find(conversation), &system.peers) else { return };
        // Where one of them is shown the conversation, others may still be where it was.
        let mut readers = row.readers().clone();
        readers.retain(|reader| !is_attached(&row, reader));
        if readers.is_empty() {
            return;
        }
        if matches!(self.way_of(system, &row), Way::Nowhere) {
            return peers.still_adrift(conversation);
        }
        for reader in readers {
            // One that is being brought up to date already finds its way by itself.
            let Some(cursor) = reader.cursor(system.history_epoch) else { continue };
            let attempt = reader.restart();
            let viewer = Viewer::Here(Arc::clone(&reader), attempt);
            if !self.attach_in_time(system, &row, (&viewer, cursor)).await {
                // Shown nothing meanwhile: its client is better off with a new socket.
                tracing::info!(%conversation, "a reader could not be brought up to date again");
                reader.close(CloseCode::InsufficientState);
            }
        }
    }

    /// Attaches a reader as soon as the conversation's node can be reached; whether that came to pass.
    async fn attach_in_time(&self, system: &Arc<System>, row: &Arc<Row>, (viewer, cursor): (&Viewer, Cursor)) -> bool {
        let began = Instant::now();
        while began.elapsed() < REATTACHED_WITHIN {
            match self.attach(system, row, (viewer, Some(cursor))).await {
                Ok(true) => return true,
                Ok(false) => {}
                Err(refusal) if refusal.code.is_retryable() => {}
                Err(_) => return false,
            }
        }
        false
    }
}

/// Whether a reader is shown the conversation by whom this node has it from now.
fn is_attached(row: &Row, reader: &Subscriber) -> bool {
    let attachment = row.course().as_ref().and_then(|course| course.attachment());
    attachment.is_some_and(|attachment| reader.is_attached(attachment))
}

/// What a read of the log's end came to.
enum FromTail {
    /// The reader is up to date; whether this node owns the conversation.
    Shown { owned: bool },
    /// The row says that this member has it, or nobody has it and this one should.
    OwnedBy(Incarnation),
    /// Somebody should be at work on it.
    TurnIsOpen,
}

/// Who has a conversation that is live on this node, if the store says somebody else: it is asked unless nobody can have
/// taken it. What a node remembers that stood still, or was cut off, may be over.
async fn taken_meanwhile(system: &System, row: &Row) -> Result<Option<Option<Incarnation>>, Refusal> {
    let remembers = |peers: &&Peers| peers.membership().is_in_time() || planted::is(Fault::StaleRead);
    let Some(peers) = system.peers.as_ref().filter(|peers| !remembers(peers)) else { return Ok(None) };
    let owner = stored_owner(system, row).await?;
    Ok((owner != Some(peers.me())).then_some(owner))
}

/// Whom else to ask for a conversation whose node, as far as is known here, cannot be reached: a node that should own it may have
/// died, or not have it yet, while the one that has it lives.
async fn stored_owner_in_reach(system: &System, row: &Row) -> Attached {
    let Some(peers) = &system.peers else { return Attached::Again };
    // A store that cannot be read says so when the reader is shown what is stored.
    match stored_owner(system, row).await {
        Ok(Some(owner)) if peers.owner_link(owner).is_some() => Attached::Elsewhere(Some(owner)),
        _ => Attached::Again,
    }
}

async fn stored_owner(system: &System, row: &Row) -> Result<Option<Incarnation>, Refusal> {
    Ok(system.log.summary(row.id).await.map_err(not_read)?.and_then(|summary| summary.owner))
}

async fn from_tail(system: &Arc<System>, viewer: &Viewer, cursor: Option<Cursor>) -> Result<FromTail, Refusal> {
    let tail = tail_for(system, viewer).await?;
    if let (Some(peers), Some(owner)) = (&system.peers, tail.summary.owner)
        && owner != peers.me()
        && peers.placement().view.member(owner).is_some()
    {
        return Ok(FromTail::OwnedBy(owner));
    }
    let owned = tail.summary.owner.is_some_and(|owner| system.is_this(owner));
    // Who reads must be known to whoever will claim it: by another view of the members somebody came here who should not have.
    let wished = system.peers.as_ref().and_then(|peers| peers.wished_elsewhere(tail.summary.id));
    if let Some(wished) = wished.filter(|_| !owned) {
        return Ok(FromTail::OwnedBy(wished));
    }
    if tail.summary.turn.is_some() {
        return Ok(FromTail::TurnIsOpen);
    }
    viewer.begin(synced(standing(system, &tail), cursor, viewer.view(), system.settings.shown()), owned);
    Ok(FromTail::Shown { owned })
}

/// The end of the log with its head, for somebody who may read it.
async fn tail_for(system: &Arc<System>, viewer: &Viewer) -> Result<Tail, Refusal> {
    let limit: TailLimit = system.settings.window;
    let conversation = viewer.conversation();
    let unknown = || Refusal::new(ErrorCode::NotFound, "no such conversation");
    let tail = system.log.tail(conversation, limit).await.map_err(not_read)?.ok_or_else(unknown)?;
    if viewer.view() == View::Customer && tail.summary.customer != viewer.reader() {
        system.note_stranger(viewer.reader(), conversation);
        return Err(unknown());
    }
    Ok(tail)
}

fn standing<'a>(system: &System, tail: &'a Tail) -> Standing<'a> {
    let Summary { id, last_seq, control, control_version, language, epoch, turn, .. } = &tail.summary;
    let live_turn = |(turn, attempt): (Seq, u32)| LiveTurn { turn, epoch: *epoch, attempt, text: String::new() };
    Standing {
        conversation: *id,
        history_epoch: system.history_epoch,
        position: *last_seq,
        control: *control,
        control_version: *control_version,
        language,
        entries: tail.entries.iter().collect(),
        turn: turn.map(live_turn),
    }
}
