//! An agent, who races the others for whoever waits, watches, takes over, answers and hands back.

use std::collections::{BTreeMap, BTreeSet};

use onya_actors::ports::Random as _;
use onya_actors::testing::StrictReader;
use onya_core::ConversationId;
use onya_core::conversation::ReturnTo;
use onya_protocol::{Control, Cursor, EntryBody, QueueEntry, ServerFrame, StaffFrame};
use serde::Serialize;
use serde_json::Value;

use crate::person::{Part, Person};
use crate::readers::Readers;

/// What an agent sees.
pub(crate) struct Agent {
    readers: Readers,
    /// Who is in control, and the version, of each conversation that is watched.
    watched: BTreeMap<ConversationId, (Control, u64)>,
    waiting: Vec<QueueEntry>,
    /// What cannot be watched just now.
    refused: BTreeSet<ConversationId>,
    /// What this agent does not look at for a moment.
    looked_away: BTreeSet<ConversationId>,
}

impl Agent {
    pub(crate) fn new(readers: Readers) -> Self {
        Self {
            readers,
            watched: BTreeMap::new(),
            waiting: Vec::new(),
            refused: BTreeSet::new(),
            looked_away: BTreeSet::new(),
        }
    }

    fn watch(&mut self, conversation: ConversationId) -> Vec<Value> {
        if self.watched.contains_key(&conversation) {
            return Vec::new();
        }
        self.watched.insert(conversation, (Control::Assistant, 0));
        frame(StaffFrame::Watch { conversation, cursor: None })
    }

    fn look_away(&mut self, conversation: ConversationId) -> Vec<Value> {
        self.looked_away.insert(conversation);
        frame(StaffFrame::Unwatch { conversation })
    }

    fn frame(&self, conversation: ConversationId) -> Vec<Value> {
        let cursor = self.readers.of(conversation, StrictReader::cursor);
        frame(StaffFrame::Watch { conversation, cursor })
    }

    /// One of the conversations that are watched.
    fn any(&self, person: &Person) -> Option<(ConversationId, Control, u64)> {
        let nth = person.one_of(self.watched.len().max(1));
        self.watched.iter().nth(nth).map(|(id, (control, version))| (*id, *control, *version))
    }
}

impl Part for Agent {
    fn cursor(&self) -> Option<Cursor> {
        None
    }

    fn opening(&self) -> Vec<Value> {
        self.watched.keys().flat_map(|conversation| self.frame(*conversation)).collect()
    }

    fn again(&mut self) -> Vec<Value> {
        let mut again = std::mem::take(&mut self.refused);
        again.append(&mut self.looked_away);
        // As somebody new: what was on its way may not have come yet.
        again.into_iter().flat_map(|conversation| frame(StaffFrame::Watch { conversation, cursor: None })).collect()
    }

    fn take(&mut self, _: &Person, frame: ServerFrame) {
        let conversation = match &frame {
            ServerFrame::Queue { entries, .. } => {
                self.waiting.clone_from(entries);
                return;
            }
            ServerFrame::Synced(synced) => {
                self.watched.insert(synced.conversation, (synced.control, synced.control_version));
                synced.conversation
            }
            ServerFrame::Entry { conversation, entry } => {
                if let EntryBody::ControlChanged { control, control_version, .. } = entry.body {
                    self.watched.insert(*conversation, (control, control_version));
                }
                *conversation
            }
            ServerFrame::Refused(refusal) if refusal.client_msg_id.is_none() => {
                self.refused.extend(refusal.conversation);
                return;
            }
            ServerFrame::Delta(delta) => delta.conversation,
            ServerFrame::Reset(reset) => reset.conversation,
            _ => return,
        };
        self.readers.take(conversation, frame);
    }

    fn act(&mut self, person: &mut Person) -> Vec<Value> {
        match person.random.below(10) {
            0..=3 if !self.waiting.is_empty() => {
                let entry = self.waiting.swap_remove(person.one_of(self.waiting.len()));
                let (conversation, control_version) = (entry.conversation, entry.control_version);
                let mut frames = self.watch(conversation);
                frames.extend(person.command(conversation, None, |client_msg_id, _| StaffFrame::Claim {
                    conversation,
                    client_msg_id,
                    control_version,
                }));
                frames
            }
            4 => {
                let known: Vec<_> = person.record.story().conversations.iter().copied().collect();
                if known.is_empty() { Vec::new() } else { self.watch(known[person.one_of(known.len())]) }
            }
            number => {
                let Some((conversation, control, control_version)) = self.any(person) else { return Vec::new() };
                let mine = matches!(control, Control::Agent { id } if id == person.id);
                match number {
                    5..=8 if !mine => self.look_away(conversation),
                    5..=6 if mine => say(person, conversation),
                    7..=8 if mine => {
                        let to = if number == 7 { ReturnTo::Assistant } else { ReturnTo::Queue };
                        person.command(conversation, None, |client_msg_id, _| StaffFrame::HandBack {
                            conversation,
                            client_msg_id,
                            control_version,
                            to,
                        })
                    }
                    9 => person.command(conversation, None, |client_msg_id, _| StaffFrame::TakeOver {
                        conversation,
                        client_msg_id,
                        control_version,
                    }),
                    _ => Vec::new(),
                }
            }
        }
    }
}

fn say(person: &mut Person, conversation: ConversationId) -> Vec<Value> {
    let text = format!("{} answers {}", person.name, person.random.below(u64::MAX));
    person.command(conversation, Some(text.clone()), |client_msg_id, after| StaffFrame::Say {
        conversation,
        client_msg_id,
        after,
        text,
        traceparent: None,
    })
}

fn frame(frame: impl Serialize) -> Vec<Value> {
    serde_json::to_value(frame).into_iter().collect()
}
