//! The customer's side: one conversation.

use std::collections::VecDeque;

use anyhow::bail;
use onya_core::ConversationId;
use onya_core::Seq;
use onya_core::conversation::Overlap;
use onya_protocol::{CustomerFrame, EntryBody, ServerFrame, VERSION};
use tokio::time::Instant;

use super::connection::{Connection, Event, due};
use super::http::Api;
use super::input::{Input, Line};
use super::outbox::Command as _;
use super::thread::{Failed, Thread};
use super::{Terminal, new_id};

const HELP: &str = "/stop  /regenerate  /human  /assistant  /rate up|down [comment]  /close  /quit  /help";

/// See the module.
pub(super) struct Customer {
    connection: Connection,
    thread: Thread<CustomerFrame>,
    token: String,
    terminal: Terminal,
    input: Input,
    lines: VecDeque<Line>,
    queue_position: Option<usize>,
    has_quit: bool,
}

impl Customer {
    pub(super) fn new(api: &Api, token: String, conversation: ConversationId, terminal: Terminal) -> Self {
        let url = api.socket(&format!("/v1/conversations/{conversation}/socket"));
        Self {
            connection: Connection::new(url, |frame| matches!(frame, ServerFrame::Synced(_))),
            thread: Thread::new(conversation),
            token,
            terminal,
            input: Input::new(),
            lines: VecDeque::new(),
            queue_position: None,
            has_quit: false,
        }
    }

    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        if self.terminal.1.interactive {
            self.terminal.0.note(HELP)?;
        }
        while !self.is_done() {
            self.step().await?;
            self.terminal.0.draw(&self.thread.conversation)?;
            self.run_lines()?;
            self.flush().await;
        }
        self.connection.close().await;
        Ok(())
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        let Self { connection, thread, token, input, .. } = self;
        let hello = || hello(thread, token);
        tokio::select! {
            event = connection.next(hello) => self.handle(event)?,
            line = input.next(), if !input.has_ended() => self.lines.extend(line),
            () = due(thread.retry_at()) => {}
            _ = tokio::signal::ctrl_c() => self.has_quit = true,
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::InStep => self.thread.reconnected(),
            Event::Frame(frame) => self.receive(&frame)?,
            Event::Waiting(reason) => self.terminal.0.note(&format!("{reason:#}; trying again"))?,
            Event::Ended(reason) => bail!("the server ended the connection: {reason}"),
        }
        Ok(())
    }

    fn receive(&mut self, frame: &ServerFrame) -> anyhow::Result<()> {
        if let ServerFrame::Hello { participant, role, .. } = frame {
            self.terminal.0.set_identity(*participant, *role);
        }
        if let Some(Failed { frame, refusal }) = self.thread.receive(frame, Instant::now()) {
            let what = if matches!(frame, CustomerFrame::Say { .. }) { "not sent: " } else { "" };
            self.terminal.0.note(&format!("{what}{} ({})", refusal.message, refusal.code))?;
        }
        let position = self.thread.conversation.queue_position;
        if position != self.queue_position {
            self.queue_position = position;
            if let Some(position) = position {
                self.terminal.0.note(&format!("number {position} in line"))?;
            }
        }
        Ok(())
    }

    /// Runs what was typed. A script's lines wait for the reply to the one before.
    fn run_lines(&mut self) -> anyhow::Result<()> {
        while let Some(line) = self.lines.pop_front() {
            if !self.terminal.1.interactive && !line.is_urgent() && !self.is_idle() {
                self.lines.push_front(line);
                break;
            }
            self.run_line(line)?;
        }
        Ok(())
    }

    fn run_line(&mut self, line: Line) -> anyhow::Result<()> {
        let client_msg_id = new_id()?;
        let after = None;
        let frame = match line {
            Line::Say(text) => CustomerFrame::Say {
                client_msg_id,
                after,
                text,
                overlap: Overlap::Queue,
                attachments: Vec::new(),
                traceparent: None,
            },
            Line::Stop => {
                let turn = self.thread.conversation.live.as_ref().map(|live| live.rank.turn);
                CustomerFrame::Stop { client_msg_id, after, turn }
            }
            Line::Regenerate => CustomerFrame::Regenerate { client_msg_id, after, reply: None },
            Line::Rate(score, comment) => {
                CustomerFrame::Rate { client_msg_id, after, reply: self.newest_reply(), score, comment }
            }
            Line::Human => CustomerFrame::Escalate { client_msg_id, after, summary: None },
            Line::Assistant | Line::Back(_) => {
                let control_version = self.thread.conversation.control_version;
                CustomerFrame::HandBack { client_msg_id, after, control_version }
            }
            Line::Close => CustomerFrame::Close { client_msg_id, after },
            Line::Quit => {
                self.has_quit = true;
                return Ok(());
            }
            Line::Help => return Ok(self.terminal.0.note(HELP)?),
            Line::Unknown(text) => return Ok(self.terminal.0.note(&format!("{text}? {HELP}"))?),
            Line::Queue | Line::List | Line::Claim(_) | Line::Watch(_) | Line::TakeOver => {
                return Ok(self.terminal.0.note("that is for agents: --as agent")?);
            }
        };
        if let Some(id) = frame.client_msg_id() {
            self.terminal.0.typed(id.clone());
        }
        self.thread.send(frame);
        Ok(())
    }

    fn newest_reply(&self) -> Option<Seq> {
        let ended =
            |entry: &&std::sync::Arc<onya_protocol::LogEntry>| matches!(entry.body, EntryBody::TurnEnded { .. });
        self.thread.conversation.entries.iter().rev().find(ended).map(|entry| entry.seq)
    }

    async fn flush(&mut self) {
        if !self.connection.is_live() {
            return;
        }
        if let Some(cursor) = self.thread.resume_from() {
            self.connection.send(&CustomerFrame::Resume { cursor }).await;
        }
        for frame in self.thread.due(Instant::now()) {
            self.connection.send(&frame).await;
        }
    }

    fn is_idle(&self) -> bool {
        self.thread.is_settled() && !self.thread.conversation.owes_reply()
    }

    fn is_done(&self) -> bool {
        let nothing_more = self.input.has_ended() && self.lines.is_empty() && self.thread.is_settled();
        self.has_quit || (nothing_more && (self.terminal.1.interactive || self.is_idle()))
    }
}

fn hello(thread: &Thread<CustomerFrame>, token: &str) -> String {
    let frame = CustomerFrame::Hello {
        versions: vec![VERSION],
        token: Some(token.to_owned()),
        cursor: thread.conversation.cursor(),
    };
    serde_json::to_string(&frame).unwrap_or_default()
}
