//! One step of the loop: decide, send the append, and do what follows from it. What the store answered is for `outcome.rs`.

use std::sync::Arc;
use std::time::Duration;

use onya_core::conversation::{
    Ack, Action, Command, Context, Decision, Effect, Entry, Event, KnownKey, Rejection, Signal, build_prompt,
};
use onya_core::desk::Waiting;
use onya_protocol::{ErrorCode, Refusal, Reset, convert};

use tokio::time::Instant;

use super::actor::{Conversation, Message};
use super::gate::Gate;
use super::handle::Submission;
use super::live::{InFlight, Looked, Origin};
use super::reply::LiveReply;
use crate::completion::Completion;
use crate::connection::{Published, PublishedEntry};
use crate::guard::guarded;
use crate::planted::{self, Fault};
use crate::ports::{Append, Question};
use crate::record::{Refused, role_name};

impl Conversation {
    /// Decides on what waits, one after the other, until an append is in flight or nothing waits.
    pub(super) fn advance(&mut self) {
        while !self.leaving && self.departing.is_none() {
            let now = self.system.clock.now();
            let Some(live) = self.live.as_mut() else { return };
            if live.in_flight.is_some() || live.looking_up.is_some() {
                return;
            }
            if live.retry_at.is_some_and(|at| Instant::now() < at) {
                // The store did not take a signal just now. Requests may try their luck, and are answered `busy`.
                let Some(submission) = self.inbox.pop_front() else { return };
                self.decide(Origin::Request(submission), None);
                continue;
            }
            live.retry_at = None;
            live.signals.extend(self.lost.take().map(|agent| Signal::AgentLost { agent }));
            let signal = live.signals.pop_front().or_else(|| live.finished_reply()).or_else(|| {
                let due = live.next_deadline(&self.system.settings.policy)?;
                (due <= now).then_some(Signal::DeadlineReached)
            });
            match signal {
                Some(signal) => self.decide(Origin::Signal(signal), None),
                None => match self.inbox.pop_front() {
                    Some(submission) => self.decide(Origin::Request(submission), None),
                    None => return,
                },
            }
        }
    }

    /// `known` is what the store knows of older commands, if it has been asked.
    fn decide(&mut self, origin: Origin, known: Option<&[KnownKey]>) {
        let Some(live) = &self.live else { return };
        let passage = live.reply.as_ref().map(|reply| reply.gate.close());
        let context = Context {
            now: self.system.clock.now(),
            policy: &self.system.settings.policy,
            reply: passage.as_ref().map(|passage| &passage.handed_out),
            known: known.unwrap_or_default(),
        };
        let decided = match origin.command() {
            taking if planted::is(Fault::FinalWithoutControl) && takes_over(&taking) => {
                let mut without_turn = live.state.clone();
                without_turn.turn = None;
                without_turn.decide(&context, &taking)
            }
            command => live.state.decide(&context, &command),
        };
        drop(passage);
        match (decided, origin) {
            (Ok(decision), origin) if decision.entries.is_empty() => self.nothing_to_append(origin, decision.ack),
            (Ok(decision), origin) => self.append(decision, origin),
            (Err(rejection), Origin::Request(submission)) => self.rejected(submission, rejection, known.is_none()),
            (Err(_), Origin::Signal(_)) => {}
        }
    }

    fn nothing_to_append(&mut self, origin: Origin, ack: Option<Ack>) {
        match (origin, ack) {
            (Origin::Request(submission), Some(ack)) => self.answer(submission, Ok(ack)),
            (Origin::Request(submission), None) => {
                self.answer(submission, Err(Refusal::new(ErrorCode::NothingToDo, "nothing changed")));
            }
            (Origin::Signal(Signal::FinishReply { .. }), _) => {
                // The turn it belongs to is over.
                if let Some(live) = &mut self.live {
                    live.reply = None;
                }
            }
            (Origin::Signal(_), _) => {}
        }
    }

    /// A rejection by a state that forgot older commands is final only once the store has been asked for them.
    fn rejected(&mut self, submission: Box<Submission>, rejection: Rejection, ask_store: bool) {
        let Some(live) = &mut self.live else { return };
        let ids = live.state.unknown_keys(&submission.request);
        if !ask_store || ids.is_empty() {
            self.note(&submission, rejection);
            return self.answer(submission, Err(rejection.into()));
        }
        let (log, id, participant) = (Arc::clone(&self.system.log), self.row.id, submission.request.by.id);
        let myself = self.myself.clone();
        live.looking_up = Some(submission);
        self.system.tasks.spawn(async move {
            let _ = myself.cast(Message::Looked(guarded(log.known_keys(id, participant, &ids)).await));
        });
    }

    /// A refusal that is about who asks goes on record.
    fn note(&self, submission: &Submission, rejection: Rejection) {
        if !matches!(rejection, Rejection::Forbidden | Rejection::NotAParticipant) {
            return;
        }
        let by = &submission.request.by;
        let refused = Refused {
            who: Some((by.id, role_name(by.role))),
            route: "a command",
            conversation: Some(self.row.id),
            code: Refusal::from(rejection).code,
        };
        self.system.recorder.note(refused.act(self.system.clock.now()));
    }

    pub(super) fn looked(&mut self, looked: Looked) {
        let Some(submission) = self.live.as_mut().and_then(|live| live.looking_up.take()) else { return };
        match looked {
            Ok(known) => self.decide(Origin::Request(submission), Some(&known)),
            Err(_) => self.answer(submission, Err(super::handle::busy("the store does not answer"))),
        }
    }

    fn append(&mut self, decision: Decision, origin: Origin) {
        if let Some(live) = self.live.as_ref().filter(|_| planted::is(Fault::PublishBeforeCommit)) {
            self.publish_entries(&decision.entries, &live.state.language);
        }
        let Some(live) = &mut self.live else { return };
        if let Origin::Request(submission) = &origin {
            live.traceparent.clone_from(&submission.traceparent);
        }
        let Decision { entries, effects, ack } = decision;
        let entries: Arc<[Entry]> = entries.into();
        let mut next = live.state.clone();
        entries.iter().for_each(|entry| next.apply(entry));
        let settings = &self.system.settings;
        let snapshot = (next.seq >= live.snapshot_seq + settings.snapshot_every).then(|| Box::new(next.snapshot()));
        let append = Append {
            conversation: self.row.id,
            fence: live.fence,
            expected_seq: live.state.seq,
            previous: live.link,
            entries: Arc::clone(&entries),
            head: next.head(&settings.policy),
            snapshot,
        };
        let erases = next.erased;
        live.in_flight = Some(Box::new(InFlight { next, entries, effects, ack, origin }));
        if erases {
            // By itself: it may take long, and nobody's append should wait behind it.
            let (log, on_outcome) = (Arc::clone(&self.system.log), live.on_outcome.clone());
            self.system.tasks.spawn(async move { on_outcome.call(guarded(log.erase(append)).await) });
            return;
        }
        self.system.persistence.append(append, live.on_outcome.clone());
    }

    pub(super) fn run(&mut self, effect: Effect) {
        let Some(live) = &mut self.live else { return };
        match effect {
            Effect::CancelCompletion { turn } => {
                if live.reply.as_ref().is_some_and(|reply| reply.turn == turn) {
                    live.reply = None;
                }
            }
            Effect::StartCompletion { .. } if live.quarantined => live.signals.push_back(Signal::Quarantine),
            Effect::StartCompletion { turn, attempt } => {
                // While draining, the turn stays open for the next owner.
                if !self.is_draining() {
                    self.start_completion(turn, attempt);
                }
            }
        }
    }

    fn start_completion(&mut self, turn: u64, attempt: u32) {
        let Some(live) = &mut self.live else { return };
        if attempt > 1 {
            let reset = Reset { conversation: self.row.id, turn, epoch: live.fence.epoch, attempt };
            self.row.publish(&Published::Reset(reset));
        }
        let settings = &self.system.settings;
        let question = Question {
            conversation: self.row.id,
            turn: (turn, attempt),
            prompt: build_prompt(live.window.iter(), settings.prompt_bytes),
            traceparent: live.traceparent.clone(),
        };
        let gate = Gate::new(&self.row, live.fence.epoch, (turn, attempt));
        let completion = Completion {
            conversation: self.myself.clone(),
            turn,
            attempt,
            gate: Arc::clone(&gate),
            window: Duration::from_millis(settings.delta_window_ms),
            max_bytes: settings.max_reply_bytes,
            reported: false,
        };
        let model = Arc::clone(&self.system.model);
        let task = self.system.tasks.spawn(async move { completion.run(&*model, question).await });
        live.reply = Some(LiveReply::new((turn, attempt), gate, task.abort_handle()));
    }

    /// Tells the desk whether this conversation waits for a person.
    pub(super) fn tell_desk(&self) {
        let Some(state) = self.live.as_ref().map(|live| &live.state) else { return };
        match &state.queued {
            Some(queued) => self.system.customer_waits(Waiting {
                conversation: state.id,
                control_version: state.control_version,
                queued: queued.clone(),
            }),
            None => self.system.customer_waits_no_more(state.id),
        }
    }

    /// Shows entries to the readers, in order, each in its own view.
    pub(super) fn publish_entries(&self, entries: &[Entry], language: &str) {
        let notices = &self.system.settings.notices;
        for entry in entries {
            if !self.row.is_read() {
                continue;
            }
            let show = |view| convert::log_entry(entry, view, language, notices);
            self.row.publish(&Published::Entry(PublishedEntry {
                seq: entry.seq,
                customer: show(onya_core::conversation::View::Customer),
                staff: show(onya_core::conversation::View::Staff),
                opens_turn: matches!(entry.event, Event::TurnOpened { .. }),
                ends_turn: match entry.event {
                    Event::TurnEnded { turn, .. } => Some(turn),
                    _ => None,
                },
                erases: matches!(entry.event, Event::Erased { .. }),
            }));
        }
    }
}

/// For a planted fault.
const fn takes_over(command: &Command) -> bool {
    matches!(command, Command::Request(request) if matches!(request.action, Action::TakeOver { .. }))
}
