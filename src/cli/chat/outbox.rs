//! What was sent and has no known end.
//!
//! Pure bookkeeping: [`Outbox::take`] hands out the frames that should go out now, in order; `acked`, `refused` and
//! `seen` bring the news. A command keeps its `client_msg_id` for good, so sending it again is always safe.
//! `after` is worked out at each sending: it names the newest earlier command without an outcome.

use std::time::Duration;

use onya_core::{ClientMsgId, Seq};
use onya_protocol::{CustomerFrame, ErrorCode, Refusal, StaffFrame};

/// So often a command is refused for now before it counts as failed.
const MAX_REFUSALS: u32 = 8;

/// The first pause before a command is sent again when the server names none; it doubles.
const FIRST_PAUSE_MS: u64 = 250;

/// A frame that writes: it has a name, and perhaps a place for the name of its predecessor.
pub(super) trait Command: Clone {
    fn client_msg_id(&self) -> Option<&ClientMsgId>;
    fn set_after(&mut self, predecessor: Option<ClientMsgId>);
}

/// The commands without a settled end, oldest first.
#[derive(Debug)]
pub(super) struct Outbox<F> {
    sent: Vec<Sent<F>>,
}

#[derive(Debug)]
struct Sent<F> {
    id: ClientMsgId,
    frame: F,
    stage: Stage,
    refusals: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    InFlight,
    Stored(Seq),
}

/// What follows from a refusal.
#[derive(Debug, PartialEq)]
pub(super) enum Refused<F> {
    /// It is about nothing that waits here.
    Unknown,
    /// The command goes out again after this time.
    Again(Duration),
    /// It failed and is forgotten.
    Failed(F),
}

impl<F: Command> Outbox<F> {
    pub(super) const fn new() -> Self {
        Self { sent: Vec::new() }
    }

    /// Adds a command. Frames without a name are no commands and are left alone.
    pub(super) fn add(&mut self, frame: F) {
        if let Some(id) = frame.client_msg_id().cloned() {
            self.sent.push(Sent { id, frame, stage: Stage::Waiting, refusals: 0 });
        }
    }

    /// Whether nothing is without an outcome, and the log has reached everything that is stored.
    pub(super) const fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether `take` must wait: an earlier command was refused for now, and nothing may overtake it.
    pub(super) fn is_blocked(&self) -> bool {
        self.sent.iter().any(|sent| sent.stage == Stage::Waiting && sent.refusals > 0)
    }

    /// After a disconnect nobody knows what arrived: all that has no outcome goes out again.
    pub(super) fn disconnected(&mut self) {
        for sent in self.sent.iter_mut().filter(|sent| sent.stage == Stage::InFlight) {
            sent.stage = Stage::Waiting;
        }
    }

    /// The frames to send now, in order.
    pub(super) fn take(&mut self) -> Vec<F> {
        let mut frames = Vec::new();
        let mut predecessor = None;
        for sent in &mut self.sent {
            if sent.stage == Stage::Waiting {
                sent.stage = Stage::InFlight;
                let mut frame = sent.frame.clone();
                frame.set_after(predecessor.take());
                frames.push(frame);
            }
            if sent.stage == Stage::InFlight {
                predecessor = Some(sent.id.clone());
            }
        }
        frames
    }

    /// The command is stored at this position.
    pub(super) fn stored(&mut self, id: &ClientMsgId, seq: Seq) {
        if let Some(sent) = self.sent.iter_mut().find(|sent| sent.id == *id) {
            sent.stage = Stage::Stored(seq);
        }
    }

    /// Forgets stored commands whose entries the log has reached.
    pub(super) fn reached(&mut self, cursor: Seq) {
        self.sent.retain(|sent| !matches!(sent.stage, Stage::Stored(seq) if seq <= cursor));
    }

    /// The command is refused.
    pub(super) fn refused(&mut self, refusal: &Refusal) -> Refused<F> {
        let Some(index) = self.sent.iter().position(|sent| Some(&sent.id) == refusal.client_msg_id.as_ref()) else {
            return Refused::Unknown;
        };
        let sent = &mut self.sent[index];
        if matches!(sent.stage, Stage::Stored(_)) {
            return Refused::Unknown;
        }
        sent.refusals += 1;
        if !refusal.code.is_retryable() || sent.refusals >= MAX_REFUSALS {
            return Refused::Failed(self.sent.remove(index).frame);
        }
        sent.stage = Stage::Waiting;
        // A predecessor that failed is renamed at once; anything else needs time.
        let first = if refusal.code == ErrorCode::OutOfOrder { FIRST_PAUSE_MS / 5 } else { FIRST_PAUSE_MS };
        let pause = refusal.retry_after_ms.unwrap_or(first << (sent.refusals - 1));
        Refused::Again(Duration::from_millis(pause))
    }
}

impl Command for CustomerFrame {
    fn client_msg_id(&self) -> Option<&ClientMsgId> {
        match self {
            Self::Say { client_msg_id, .. }
            | Self::Stop { client_msg_id, .. }
            | Self::Regenerate { client_msg_id, .. }
            | Self::Rate { client_msg_id, .. }
            | Self::Escalate { client_msg_id, .. }
            | Self::HandBack { client_msg_id, .. }
            | Self::Close { client_msg_id, .. } => Some(client_msg_id),
            _ => None,
        }
    }

    fn set_after(&mut self, predecessor: Option<ClientMsgId>) {
        if let Self::Say { after, .. }
        | Self::Stop { after, .. }
        | Self::Regenerate { after, .. }
        | Self::Rate { after, .. }
        | Self::Escalate { after, .. }
        | Self::HandBack { after, .. }
        | Self::Close { after, .. } = self
        {
            *after = predecessor;
        }
    }
}

impl Command for StaffFrame {
    fn client_msg_id(&self) -> Option<&ClientMsgId> {
        match self {
            Self::Say { client_msg_id, .. }
            | Self::Claim { client_msg_id, .. }
            | Self::TakeOver { client_msg_id, .. }
            | Self::HandBack { client_msg_id, .. }
            | Self::Close { client_msg_id, .. } => Some(client_msg_id),
            _ => None,
        }
    }

    fn set_after(&mut self, predecessor: Option<ClientMsgId>) {
        if let Self::Say { after, .. } = self {
            *after = predecessor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ClientMsgId {
        ClientMsgId::new(text).unwrap()
    }

    fn outbox(ids: &[&str]) -> Outbox<CustomerFrame> {
        let mut outbox = Outbox::new();
        for name in ids {
            outbox.add(CustomerFrame::Close { client_msg_id: id(name), after: None });
        }
        outbox
    }

    fn taken(outbox: &mut Outbox<CustomerFrame>) -> Vec<(String, Option<String>)> {
        let names = |frame: CustomerFrame| match frame {
            CustomerFrame::Close { client_msg_id, after } => (client_msg_id.into(), after.map(Into::into)),
            other => panic!("{other:?}"),
        };
        outbox.take().into_iter().map(names).collect()
    }

    fn pairs(expected: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
        expected.iter().map(|(id, after)| ((*id).to_owned(), after.map(ToOwned::to_owned))).collect()
    }

    fn refusal(name: &str, code: ErrorCode) -> Refusal {
        Refusal { client_msg_id: Some(id(name)), ..Refusal::new(code, "") }
    }

    #[test]
    fn each_command_names_the_newest_earlier_one_without_an_outcome() {
        let mut outbox = outbox(&["a", "b"]);
        assert_eq!(taken(&mut outbox), pairs(&[("a", None), ("b", Some("a"))]));
        assert_eq!(taken(&mut outbox), pairs(&[]));
        outbox.stored(&id("a"), 1);
        outbox.disconnected();
        assert_eq!(taken(&mut outbox), pairs(&[("b", None)]));
    }

    #[test]
    fn a_command_that_fails_for_good_is_no_predecessor_any_more() {
        let mut outbox = outbox(&["a", "b"]);
        outbox.take();
        assert!(matches!(outbox.refused(&refusal("a", ErrorCode::TooLarge)), Refused::Failed(_)));
        assert!(matches!(outbox.refused(&refusal("b", ErrorCode::OutOfOrder)), Refused::Again(_)));
        assert_eq!(taken(&mut outbox), pairs(&[("b", None)]));
    }

    #[test]
    fn nothing_overtakes_a_command_that_is_refused_for_now() {
        let mut outbox = outbox(&["a"]);
        outbox.take();
        let busy = Refusal { retry_after_ms: Some(700), ..refusal("a", ErrorCode::Busy) };
        assert_eq!(outbox.refused(&busy), Refused::Again(Duration::from_millis(700)));
        assert!(outbox.is_blocked());
    }

    #[test]
    fn a_stored_command_waits_for_the_log_and_ignores_late_refusals() {
        let mut outbox = outbox(&["a"]);
        outbox.take();
        outbox.stored(&id("a"), 4);
        assert_eq!(outbox.refused(&refusal("a", ErrorCode::Busy)), Refused::Unknown);
        outbox.reached(3);
        assert!(!outbox.is_empty());
        outbox.reached(4);
        assert!(outbox.is_empty());
    }

    #[test]
    fn retries_end() {
        let mut outbox = outbox(&["a"]);
        let outcomes = (0..MAX_REFUSALS).map(|_| {
            outbox.take();
            outbox.refused(&refusal("a", ErrorCode::Busy))
        });
        assert!(matches!(outcomes.last(), Some(Refused::Failed(_))));
    }
}
