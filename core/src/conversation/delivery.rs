//! Idempotency and sender order: a repeat gets the first outcome, and nothing overtakes what was sent before it.
//!
//! The state remembers the newest [`RECENT_KEYS`] commands. For older ones it asks the store, through
//! [`State::unknown_keys`]; the store's unique index on (conversation, participant, `client_msg_id`) stands behind both.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::command::{Action, Context, Overlap, Request, ReturnTo};
use super::effect::Ack;
use super::event::Score;
use super::rejection::Rejection;
use super::state::State;
use crate::{ClientMsgId, ParticipantId, Seq};

/// How many commands a state remembers; older ones are looked up in the store.
pub const RECENT_KEYS: usize = 64;

/// A conversation's secret, mixed into its commitments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Salt(pub [u8; 16]);

/// Salted hash of a command's body: tells a repeat from another command without keeping the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(pub [u8; 16]);

/// The command an entry answers for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Who sent it.
    pub participant: ParticipantId,
    /// The sender's name for it.
    pub client_msg_id: ClientMsgId,
    /// What it said.
    pub commitment: Commitment,
}

/// A stored command and its position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownKey {
    /// The command.
    pub key: Key,
    /// The entry that answers for it.
    pub seq: Seq,
}

/// What a request turns out to be.
pub(super) enum Admission {
    /// A new one: the key for the entry that answers for it.
    New(Key),
    /// One that is stored already: its answer.
    Repeat(Ack),
}

impl State {
    /// The identifiers that a decision on this request depends on and memory lacks: look them up in the store and
    /// pass what it knows as [`Context::known`]. Empty for all but the oldest repeats.
    #[must_use]
    pub fn unknown_keys(&self, request: &Request) -> Vec<ClientMsgId> {
        if !self.forgot_keys {
            return Vec::new();
        }
        [Some(&request.client_msg_id), request.after.as_ref()]
            .into_iter()
            .flatten()
            .filter(|id| self.recent_key(request.by.id, id).is_none())
            .cloned()
            .collect()
    }

    fn recent_key(&self, participant: ParticipantId, id: &ClientMsgId) -> Option<&KnownKey> {
        self.recent_keys.iter().rev().find(|known| names(known, participant, id))
    }

    fn known_key<'a>(
        &'a self,
        context: &Context<'a>,
        participant: ParticipantId,
        id: &ClientMsgId,
    ) -> Option<&'a KnownKey> {
        self.recent_key(participant, id).or_else(|| context.known.iter().find(|known| names(known, participant, id)))
    }

    /// Recognises a repeat, then checks the order: a repeat is a repeat wherever its predecessor is by now.
    pub(super) fn admit(&self, context: &Context<'_>, request: &Request) -> Result<Admission, Rejection> {
        if let Some(known) = self.known_key(context, request.by.id, &request.client_msg_id) {
            if !self.is_same_command(&request.action, known) {
                return Err(Rejection::IdConflict { seq: known.seq });
            }
            return Ok(Admission::Repeat(Ack { seq: known.seq, cut_at: None, repeated: true }));
        }
        if let Some(after) = &request.after
            && self.known_key(context, request.by.id, after).is_none()
        {
            return Err(Rejection::OutOfOrder);
        }
        let client_msg_id = request.client_msg_id.clone();
        let commitment = self.commitment(&request.action);
        Ok(Admission::New(Key { participant: request.by.id, client_msg_id, commitment }))
    }

    /// Whether a command whose name is stored is the stored command again. Once the conversation is erased nobody can
    /// tell any more what was said under a name, and the name alone decides.
    #[must_use]
    pub fn is_same_command(&self, action: &Action, known: &KnownKey) -> bool {
        self.erased || known.key.commitment == self.commitment(action)
    }

    /// The commitment to a command's body in this conversation. `after` and `assignment` are not part of the body.
    #[must_use]
    pub fn commitment(&self, action: &Action) -> Commitment {
        let mut hash = Sha256::new();
        hash.update(self.salt.0);
        for field in fields(action) {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        let mut commitment = [0; 16];
        commitment.copy_from_slice(&hash.finalize()[..16]);
        Commitment(commitment)
    }

    pub(super) fn remember(&mut self, key: &Key, seq: Seq) {
        if self.recent_keys.len() == RECENT_KEYS {
            self.recent_keys.pop_front();
            self.forgot_keys = true;
        }
        self.recent_keys.push_back(KnownKey { key: key.clone(), seq });
    }
}

fn names(known: &KnownKey, participant: ParticipantId, id: &ClientMsgId) -> bool {
    known.key.participant == participant && known.key.client_msg_id == *id
}

/// The parts of a command that make it the same command. The first names the action and fixes how many follow.
/// Commitments are stored: what a released version writes here stays as it is.
fn fields(action: &Action) -> Vec<Vec<u8>> {
    let text = |text: &str| text.as_bytes().to_vec();
    let number = |number: u64| number.to_be_bytes().to_vec();
    let maybe = |number: Option<u64>| number.map_or_else(Vec::new, |number| number.to_be_bytes().to_vec());
    match action {
        Action::Say { text: said, overlap } => {
            vec![text("say"), text(said), text(if *overlap == Overlap::Interrupt { "interrupt" } else { "queue" })]
        }
        Action::Stop { turn } => vec![text("stop"), maybe(*turn)],
        Action::Regenerate { reply } => vec![text("regenerate"), maybe(*reply)],
        Action::Rate { reply, score, comment } => {
            let score = if *score == Score::Up { "up" } else { "down" };
            vec![text("rate"), maybe(*reply), text(score), text(comment.as_deref().unwrap_or_default())]
        }
        Action::Escalate { summary } => vec![text("escalate"), text(summary.as_deref().unwrap_or_default())],
        Action::Claim { control_version, .. } => vec![text("claim"), number(*control_version)],
        Action::TakeOver { control_version, .. } => vec![text("take_over"), number(*control_version)],
        Action::HandBack { control_version, to } => {
            vec![
                text("hand_back"),
                number(*control_version),
                text(if *to == ReturnTo::Queue { "queue" } else { "assistant" }),
            ]
        }
        Action::Close { control_version } => vec![text("close"), maybe(*control_version)],
        Action::Erase => vec![text("erase")],
    }
}
