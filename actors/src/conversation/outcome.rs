//! What becomes of an append once the store has answered: the state moves on or stays, and whoever asked is told.

use std::time::Duration;

use onya_core::conversation::{Ack, Cause, Control, Entry, Event, Failure, KnownKey, Rejection, ReplyEnding, Signal};
use onya_protocol::{ErrorCode, Refusal, Reset, convert};
use tokio::time::Instant;

use super::actor::Conversation;
use super::handle::{Reply, Submission, busy};
use super::live::{InFlight, Origin, cuts};
use crate::connection::Published;
use crate::ports::{AppendOutcome, HOLD_POSTPONES_MS, Link, StoreError};

/// How long to wait before a signal is tried again that the store did not take just now.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// The same for one that the store says it can never hold: somebody may have to mend something first.
const RETRY_POISONED_AFTER: Duration = Duration::from_secs(60);

impl Conversation {
    pub(super) fn appended(&mut self, outcome: Result<AppendOutcome, StoreError>) {
        let Some(in_flight) = self.live.as_mut().and_then(|live| live.in_flight.take()) else { return };
        match outcome {
            Ok(AppendOutcome::Accepted(link)) => self.commit(*in_flight, link),
            Ok(AppendOutcome::Repeated(known)) => self.repeated(in_flight.origin, &known),
            Ok(AppendOutcome::Poisoned) => self.poisoned(in_flight.origin),
            Ok(AppendOutcome::OnHold) => self.on_hold(in_flight.origin),
            Ok(AppendOutcome::Locked) => self.not_now(in_flight.origin),
            Err(StoreError::Unavailable(_)) => {
                self.not_now(in_flight.origin);
                self.none_of_these_now();
            }
            Ok(AppendOutcome::Fenced) => {
                tracing::info!(conversation = %self.id(), "fenced: another owner has the conversation");
                self.fenced(in_flight.origin);
            }
            Err(error @ (StoreError::Unknown(_) | StoreError::Refused(_) | StoreError::Corrupt(_))) => {
                tracing::warn!(conversation = %self.id(), %error, "the outcome of an append is not known");
                self.refuse_origin(in_flight.origin, Refusal::new(ErrorCode::Unknown, "the outcome is not known"));
                self.leave(true);
            }
        }
        if !self.leaving {
            self.synchronise_waiting();
        }
    }

    fn commit(&mut self, in_flight: InFlight, link: Link) {
        let InFlight { next, entries, effects, ack, origin } = in_flight;
        let now = self.system.clock.now();
        let Some(live) = &mut self.live else { return };
        let queue_changed = live.state.queued != next.queued;
        if next.seq >= live.snapshot_seq + self.system.settings.snapshot_every {
            live.snapshot_seq = next.seq;
        }
        live.state = next;
        live.link = link;
        live.window.extend(entries.iter());
        live.last_active = now;
        if live.reply.as_ref().is_some_and(|reply| live.state.turn.is_none_or(|turn| turn.turn != reply.turn)) {
            live.reply = None;
        }
        let language = live.state.language.clone();
        entries.iter().for_each(count);
        self.row.settled();
        self.publish_entries(&entries, &language);
        if let (Origin::Request(submission), Some(ack)) = (origin, ack) {
            self.acknowledge(submission, ack);
        }
        if queue_changed {
            self.tell_desk();
        }
        for effect in effects {
            self.run(effect);
        }
        if self.live.as_ref().is_some_and(|live| live.state.erased) {
            // What is in memory must not be shown again: the next actor loads what is left.
            self.live = None;
            self.leave(false);
        }
    }

    /// Nothing was erased: a sender is told so, and the end of a retention is looked at again in a day.
    fn on_hold(&mut self, origin: Origin) {
        match origin {
            Origin::Request(submission) => {
                let refusal = Refusal::new(ErrorCode::OnHold, "the customer is on legal hold: nothing is erased");
                self.answer(submission, Err(refusal));
            }
            Origin::Signal(_) => {
                let until = self.system.clock.now().plus_ms(HOLD_POSTPONES_MS);
                if let Some(live) = &mut self.live {
                    live.held_until = Some(until);
                }
            }
        }
    }

    /// The store knew the command that memory had forgotten.
    fn repeated(&mut self, origin: Origin, known: &KnownKey) {
        let Origin::Request(submission) = origin else { return };
        let Some(live) = &self.live else { return };
        let same = live.state.is_same_command(&submission.request.action, known);
        let outcome = if same {
            Ok(Ack { seq: known.seq, cut_at: None, repeated: true })
        } else {
            Err(Rejection::IdConflict { seq: known.seq }.into())
        };
        self.answer(submission, outcome);
    }

    /// The store cannot hold it, ever: a request is refused, a reply ends as failed without its text.
    fn poisoned(&mut self, origin: Origin) {
        tracing::error!(conversation = %self.id(), "an append cannot be stored; it lies among the dead letters");
        match origin {
            Origin::Request(submission) => {
                self.answer(submission, Err(Refusal::new(ErrorCode::BadRequest, "this cannot be stored")));
            }
            Origin::Signal(signal) => {
                let Some(live) = &mut self.live else { return };
                let (signal, changed) = without_text(signal);
                // What was shown of the reply is kept by no end of the turn.
                if let Signal::FinishReply { turn, attempt, .. } = signal {
                    let (conversation, epoch) = (self.row.id, live.fence.epoch);
                    self.row.publish(&Published::Reset(Reset { conversation, turn, epoch, attempt }));
                }
                live.reply = None;
                live.signals.push_front(signal);
                live.retry_at = (!changed).then(|| Instant::now() + RETRY_POISONED_AFTER);
            }
        }
    }

    /// Nothing was stored: a sender may try again, a signal is tried again.
    fn not_now(&mut self, origin: Origin) {
        match origin {
            Origin::Request(submission) => {
                self.answer(submission, Err(busy("the store takes nothing just now")));
            }
            Origin::Signal(signal) => {
                if let Some(live) = &mut self.live {
                    live.retry_at = Some(Instant::now() + RETRY_AFTER);
                    // The end of a reply is read from the reply again, so that a cut may come before it.
                    if !matches!(signal, Signal::FinishReply { .. }) || live.reply.is_none() {
                        live.signals.push_front(signal);
                    }
                }
            }
        }
    }

    /// What waits behind would only wait for the same answer, and be held in memory meanwhile.
    fn none_of_these_now(&mut self) {
        for submission in std::mem::take(&mut self.inbox) {
            self.answer(submission, Err(busy("the store takes nothing just now")));
        }
    }

    pub(super) fn refuse_origin(&mut self, origin: Origin, refusal: Refusal) {
        if let Origin::Request(submission) = origin {
            self.answer(submission, Err(refusal));
        }
    }

    /// Answers a command; it cuts nothing any more.
    pub(super) fn answer(&mut self, submission: Box<Submission>, outcome: Result<Ack, Refusal>) {
        if outcome.is_ok() {
            metrics::histogram!("onya_ack_seconds").record(submission.received_at.elapsed().as_secs_f64());
        }
        let reply = self.answered(submission);
        match outcome {
            Ok(ack) => reply.ack(ack),
            Err(refusal) => reply.refuse(refusal),
        }
    }

    /// The command is done with: the way to its sender.
    pub(super) fn answered(&mut self, submission: Box<Submission>) -> Reply {
        if let Some(live) = self.live.as_mut().filter(|_| cuts(&submission.request.action)) {
            live.cutting = live.cutting.saturating_sub(1);
        }
        submission.reply
    }
}

/// The end of a reply without its text, as failed; whether that is another signal than before.
fn without_text(signal: Signal) -> (Signal, bool) {
    let Signal::FinishReply { turn, attempt, ending } = signal else { return (signal, false) };
    let (failure, changed) = match &ending {
        ReplyEnding::Failed { failure, text } => (*failure, !text.is_empty()),
        _ => (Failure::ReplyCut, true),
    };
    let ending = ReplyEnding::Failed { failure, text: String::new() };
    (Signal::FinishReply { turn, attempt, ending }, changed)
}

fn count(entry: &Entry) {
    match &entry.event {
        Event::TurnEnded { outcome, .. } => {
            metrics::counter!("onya_turns_total", "outcome" => outcome.as_str()).increment(1);
        }
        Event::ControlChanged { control: Control::Queue, cause: Cause::Escalated { reason, .. }, .. } => {
            metrics::counter!("onya_escalations_total", "reason" => convert::reason_name(*reason)).increment(1);
        }
        _ => {}
    }
}
