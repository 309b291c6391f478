//! A customer.

use onya_actors::ports::Random as _;
use onya_actors::testing::StrictReader;
use onya_core::ConversationId;
use onya_core::conversation::Overlap;
use onya_protocol::{Control, Cursor, CustomerFrame, EntryBody, ServerFrame};
use serde_json::Value;

use crate::person::{Part, Person};
use crate::readers::Readers;

/// What a customer sees of the conversation.
pub(crate) struct Customer {
    readers: Readers,
    conversation: Option<ConversationId>,
    control: (Control, u64),
}

impl Customer {
    pub(crate) fn new(readers: Readers) -> Self {
        Self { readers, conversation: None, control: (Control::Assistant, 0) }
    }
}

impl Part for Customer {
    fn cursor(&self) -> Option<Cursor> {
        self.readers.of(self.conversation?, StrictReader::cursor)
    }

    fn opening(&self) -> Vec<Value> {
        Vec::new()
    }

    fn again(&mut self) -> Vec<Value> {
        Vec::new()
    }

    fn take(&mut self, person: &Person, frame: ServerFrame) {
        match &frame {
            ServerFrame::Synced(synced) => {
                person.record.story().conversations.insert(synced.conversation);
                self.conversation = Some(synced.conversation);
                self.control = (synced.control, synced.control_version);
            }
            ServerFrame::Entry { entry, .. } => {
                if let EntryBody::ControlChanged { control, control_version, .. } = entry.body {
                    self.control = (control, control_version);
                }
            }
            _ => {}
        }
        if let Some(conversation) = self.conversation {
            self.readers.take(conversation, frame);
        }
    }

    fn act(&mut self, person: &mut Person) -> Vec<Value> {
        let Some(conversation) = self.conversation else { return Vec::new() };
        let number = person.random.below(24);
        if number < 14 {
            let text = format!("{} asks {}", person.name, person.random.below(u64::MAX));
            let overlap = if number < 11 { Overlap::Queue } else { Overlap::Interrupt };
            return person.command(conversation, Some(text.clone()), |client_msg_id, after| CustomerFrame::Say {
                client_msg_id,
                after,
                text,
                overlap,
                attachments: Vec::new(),
                traceparent: None,
            });
        }
        let control_version = self.control.1;
        person.command(conversation, None, |client_msg_id, after| match number {
            14..=16 => CustomerFrame::Stop { client_msg_id, after, turn: None },
            17..=18 => CustomerFrame::Regenerate { client_msg_id, after, reply: None },
            19..=21 => CustomerFrame::Escalate { client_msg_id, after, summary: None },
            _ => CustomerFrame::HandBack { client_msg_id, after, control_version },
        })
    }
}
