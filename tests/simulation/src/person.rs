//! What every person does: connect to any node, send again what was not answered, leave when told to.

use std::collections::VecDeque;
use std::time::Duration;

use onya_actors::ports::Random as _;
use onya_actors::testing::SeededRandom;
use onya_core::conversation::Role;
use onya_core::{ClientMsgId, ConversationId, ParticipantId};
use onya_protocol::{Cursor, ErrorCode, ServerFrame, StaffFrame};
use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use turmoil::net::TcpStream;
use uuid::Uuid;

use crate::door::{Hello, Line, SILENCE};
use crate::node::SOCKET_PORT;
use crate::record::{Fate, Rare, Record};
use crate::world::{Course, NODES, Phase};

/// How long somebody waits to be let in.
const PATIENCE: Duration = Duration::from_secs(1);

/// Once in so many moments somebody comes back by another connection, as a device does that changes its network.
const WANDERS: u64 = 15;

/// Somebody at a device of their own.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) id: ParticipantId,
    pub(crate) role: Role,
    pub(crate) random: SeededRandom,
    pub(crate) record: Record,
    pub(crate) course: Course,
    commands: u64,
    unanswered: VecDeque<(String, ConversationId, serde_json::Value)>,
}

/// What somebody reads and does.
pub(crate) trait Part {
    /// Where the copy of the log ends that the socket is to continue.
    fn cursor(&self) -> Option<Cursor>;

    /// What is sent first on each socket.
    fn opening(&self) -> Vec<serde_json::Value>;

    /// A frame has come.
    fn take(&mut self, person: &Person, frame: ServerFrame);

    /// What is asked again because it was refused for now. Called now and then.
    fn again(&mut self) -> Vec<serde_json::Value>;

    /// Does something; what is to be sent for it. Called now and then while there is trouble.
    fn act(&mut self, person: &mut Person) -> Vec<serde_json::Value>;
}

impl Person {
    pub(crate) fn new(
        (name, number): (&str, u128),
        role: Role,
        seed: u64,
        (record, course): (&Record, &Course),
    ) -> Self {
        Self {
            name: name.to_owned(),
            id: ParticipantId(Uuid::from_u128(number)),
            role,
            random: SeededRandom::new(seed),
            record: record.clone(),
            course: course.clone(),
            commands: 0,
            unanswered: VecDeque::new(),
        }
    }

    /// Talks until the run is over.
    pub(crate) async fn talk(mut self, mut part: impl Part) {
        while self.course.phase() != Phase::Over {
            let node = NODES[self.one_of(NODES.len())];
            if let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect((node, SOCKET_PORT))).await {
                self.record.note(&self.name, &format_args!("is connected to {node}"));
                let outcome = self.session(Line::over(stream), &mut part).await;
                let outcome = outcome.map_err(|error| format!("{error:#}"));
                self.record.note(&self.name, &format_args!("has left {node}: {outcome:?}"));
            }
            sleep(Duration::from_millis(20 + self.random.below(200))).await;
        }
    }

    async fn session(&mut self, mut line: Line, part: &mut impl Part) -> anyhow::Result<()> {
        line.write(&Hello { who: self.id, role: self.role, cursor: part.cursor() }).await?;
        for frame in part.opening() {
            line.write(&frame).await?;
        }
        for (id, _, frame) in &self.unanswered {
            self.record.story().fates.entry((self.id, id.clone())).and_modify(|fate| fate.sent += 1);
            line.write(frame).await?;
        }
        let (mut heard, mut leave, mut act) = (Instant::now(), None, Instant::now() + self.a_while());
        loop {
            let silent = heard + SILENCE;
            tokio::select! {
                biased;
                frame = line.read::<ServerFrame>() => {
                    heard = Instant::now();
                    let frame = frame?;
                    if let ServerFrame::Goaway { retry_after_ms } = frame {
                        leave = Some(heard + Duration::from_millis(retry_after_ms));
                    }
                    if matches!(frame, ServerFrame::Ping { .. }) {
                        line.write(&StaffFrame::Pong {}).await?;
                    }
                    self.take(&frame);
                    part.take(self, frame);
                }
                () = sleep_until(leave.unwrap_or(silent).min(silent)) => return Ok(()),
                () = sleep_until(act) => {
                    act = Instant::now() + self.a_while();
                    if self.course.phase() == Phase::Trouble && self.random.below(WANDERS) == 0 {
                        return Ok(());
                    }
                    let mut frames = part.again();
                    match self.course.phase() {
                        Phase::Trouble => frames.extend(part.act(self)),
                        Phase::Rest => {}
                        Phase::Over => return Ok(()),
                    }
                    for frame in frames {
                        line.write(&frame).await?;
                    }
                }
            }
        }
    }

    fn a_while(&self) -> Duration {
        Duration::from_millis(50 + self.random.below(1_500))
    }

    /// One of so many.
    pub(crate) fn one_of(&self, many: usize) -> usize {
        usize::try_from(self.random.below(many as u64)).unwrap_or_default()
    }

    /// A new command, noted as sent, which is sent again on every socket until it is answered.
    pub(crate) fn command<F: Serialize>(
        &mut self,
        conversation: ConversationId,
        text: Option<String>,
        make: impl FnOnce(ClientMsgId, Option<ClientMsgId>) -> F,
    ) -> Vec<serde_json::Value> {
        self.commands += 1;
        let id = format!("{}-{}", self.name, self.commands);
        let after = self.unanswered.iter().rev().find(|(_, of, _)| *of == conversation).map(|(id, ..)| id.clone());
        let names = (ClientMsgId::new(id.clone()), after.map(ClientMsgId::new).transpose());
        let (Ok(name), Ok(after)) = names else { return Vec::new() };
        let Ok(frame) = serde_json::to_value(make(name, after)) else { return Vec::new() };
        self.record.note(&self.name, &frame);
        // Not every command names one that it must not overtake.
        let after = frame["after"].as_str().map(str::to_owned);
        let fate = Fate { conversation, text, after, sent: 1, refused: 0, acked: None, answered: false };
        self.record.story().fates.insert((self.id, id.clone()), fate);
        self.unanswered.push_back((id, conversation, frame.clone()));
        vec![frame]
    }

    /// What an answer says of a command.
    fn take(&mut self, frame: &ServerFrame) {
        if !matches!(frame, ServerFrame::Ping { .. } | ServerFrame::Pong {}) {
            self.record.note(&self.name, frame);
        }
        self.record.story().frames += 1;
        match frame {
            ServerFrame::Ack(ack) => {
                if ack.repeated {
                    self.record.hit(Rare::Repeated);
                }
                self.answered(ack.client_msg_id.as_str(), |fate, broken| {
                    if fate.acked.is_some_and(|before| before != ack.seq) {
                        broken.push(format!(
                            "{}: acknowledged at {:?} and at {}",
                            ack.client_msg_id, fate.acked, ack.seq
                        ));
                    }
                    fate.acked = Some(ack.seq);
                });
            }
            ServerFrame::Refused(refusal) => {
                match refusal.code {
                    ErrorCode::Busy => self.record.hit(Rare::Busy),
                    ErrorCode::Unknown => self.record.hit(Rare::ToldUnknown),
                    ErrorCode::ControlChanged => self.record.hit(Rare::LostRace),
                    _ => {}
                }
                let Some(id) = &refusal.client_msg_id else { return };
                self.answered(id.as_str(), |fate, _| fate.refused += usize::from(refusal.code != ErrorCode::Unknown));
            }
            ServerFrame::Reset(_) => self.record.hit(Rare::Reset),
            ServerFrame::Synced(synced)
                if !synced.recovered && synced.reason != Some(onya_protocol::NotRecovered::New) =>
            {
                self.record.hit(Rare::NotRecovered);
            }
            _ => {}
        }
    }

    fn answered(&mut self, id: &str, note: impl FnOnce(&mut Fate, &mut Vec<String>)) {
        self.unanswered.retain(|(name, ..)| name != id);
        let mut story = self.record.story();
        let story = &mut *story;
        if let Some(fate) = story.fates.get_mut(&(self.id, id.to_owned())) {
            fate.answered = true;
            note(fate, &mut story.broken);
        }
    }
}
