//! The side of an agent or a supervisor: the queue, and one conversation at a time.

use std::collections::VecDeque;

use anyhow::bail;
use onya_core::ConversationId;
use onya_core::conversation::ReturnTo;
use onya_protocol::{QueueEntry, ServerFrame, StaffFrame, VERSION};
use tokio::time::Instant;

use super::connection::{Connection, Event, due};
use super::http::Api;
use super::input::{Input, Line, Place};
use super::outbox::Command as _;
use super::thread::{Failed, Thread};
use super::words::{control_text, reason_text};
use super::{Terminal, new_id, now};

const HELP: &str = "/queue  /list  /claim [N|ID]  /watch [N|ID]  /takeover  /back [queue]  /close  /quit  /help; a plain line \
                    answers the customer";

/// See the module.
pub(super) struct Agent {
    api: Api,
    connection: Connection,
    token: String,
    terminal: Terminal,
    input: Input,
    lines: VecDeque<Line>,
    queue: Option<Vec<QueueEntry>>,
    /// What `/watch N` counts in: the queue or the open conversations, whichever was listed last.
    listed: Vec<ConversationId>,
    watched: Option<Thread<StaffFrame>>,
    watch_first: Option<ConversationId>,
    has_quit: bool,
}

impl Agent {
    pub(super) fn new(api: Api, token: String, watch_first: Option<ConversationId>, terminal: Terminal) -> Self {
        let url = api.socket("/v1/desk/socket");
        Self {
            api,
            connection: Connection::new(url, |frame| matches!(frame, ServerFrame::Hello { .. })),
            token,
            terminal,
            input: Input::new(),
            lines: VecDeque::new(),
            queue: None,
            listed: Vec::new(),
            watched: None,
            watch_first,
            has_quit: false,
        }
    }

    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        if self.terminal.1.interactive {
            self.terminal.0.note(HELP)?;
        }
        while !self.is_done() {
            self.step().await?;
            if let Some(thread) = &self.watched {
                self.terminal.0.draw(&thread.conversation)?;
            }
            self.run_lines().await?;
            self.flush().await;
        }
        self.connection.close().await;
        Ok(())
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        let Self { connection, token, input, watched, .. } = self;
        let hello = || hello(token);
        let retry_at = watched.as_ref().and_then(Thread::retry_at);
        tokio::select! {
            event = connection.next(hello) => self.handle(event).await?,
            line = input.next(), if !input.has_ended() => self.lines.extend(line),
            () = due(retry_at) => {}
            _ = tokio::signal::ctrl_c() => self.has_quit = true,
        }
        Ok(())
    }

    async fn handle(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::InStep => {
                if let Some(conversation) = self.watch_first.take() {
                    self.watch(conversation).await;
                } else if let Some(thread) = &mut self.watched {
                    thread.reconnected();
                    let watch = watch_frame(thread);
                    self.connection.send(&watch).await;
                }
            }
            Event::Frame(frame) => self.receive(&frame)?,
            Event::Waiting(reason) => self.terminal.0.note(&format!("{reason:#}; trying again"))?,
            Event::Ended(reason) => bail!("the server ended the connection: {reason}"),
        }
        Ok(())
    }

    fn receive(&mut self, frame: &ServerFrame) -> anyhow::Result<()> {
        match frame {
            ServerFrame::Hello { participant, role, .. } => self.terminal.0.set_identity(*participant, *role),
            ServerFrame::Queue { entries, .. } => self.queue_changed(entries)?,
            ServerFrame::Refused(refusal) if refusal.client_msg_id.is_none() => {
                self.terminal.0.note(&format!("{} ({})", refusal.message, refusal.code))?;
                self.watched.take_if(|thread| Some(thread.conversation.id) == refusal.conversation);
            }
            _ => {}
        }
        let Some(thread) = &mut self.watched else { return Ok(()) };
        if let Some(Failed { frame, refusal }) = thread.receive(frame, Instant::now()) {
            let what = if matches!(frame, StaffFrame::Say { .. }) { "not sent: " } else { "" };
            self.terminal.0.note(&format!("{what}{} ({})", refusal.message, refusal.code))?;
        }
        Ok(())
    }

    fn queue_changed(&mut self, entries: &[QueueEntry]) -> anyhow::Result<()> {
        let before = self.queue.replace(entries.to_vec());
        let conversations = |entries: &[QueueEntry]| entries.iter().map(|entry| entry.conversation).collect::<Vec<_>>();
        if before.is_none_or(|before| conversations(&before) != conversations(entries)) {
            self.show_queue()?;
        }
        Ok(())
    }

    fn show_queue(&mut self) -> anyhow::Result<()> {
        let entries = self.queue.clone().unwrap_or_default();
        self.terminal.0.note(&format!("{} waiting", entries.len()))?;
        for (index, entry) in entries.iter().enumerate() {
            let waited_s = now().since_ms(entry.since) / 1000;
            let summary = entry.summary.as_ref().map_or_else(String::new, |summary| format!(": {summary}"));
            let line =
                format!("  {} {} {waited_s} s, {}{summary}", index + 1, entry.conversation, reason_text(entry.reason));
            self.terminal.0.note(&line)?;
        }
        self.listed = entries.iter().map(|entry| entry.conversation).collect();
        Ok(())
    }

    async fn show_list(&mut self) -> anyhow::Result<()> {
        let open = self.api.open_conversations(&self.token).await?;
        self.terminal.0.note(&format!("{} open", open.len()))?;
        for (index, listed) in open.iter().enumerate() {
            self.terminal.0.note(&format!("  {} {} {}", index + 1, listed.id, control_text(listed.control)))?;
        }
        self.listed = open.iter().map(|listed| listed.id).collect();
        Ok(())
    }

    /// Runs what was typed. A script's lines wait for the one before, and its claims for somebody to wait.
    async fn run_lines(&mut self) -> anyhow::Result<()> {
        while let Some(line) = self.lines.pop_front() {
            if !self.terminal.1.interactive && line != Line::Quit && !self.is_ready_for(&line) {
                self.lines.push_front(line);
                break;
            }
            self.run_line(line).await?;
            self.flush().await;
        }
        Ok(())
    }

    fn is_ready_for(&self, line: &Line) -> bool {
        let waiting = self.queue.as_ref().map_or(0, Vec::len);
        let wanted = match line {
            Line::Claim(Place::Number(number)) => *number,
            _ => 0,
        };
        self.connection.is_live() && waiting >= wanted && self.watched.as_ref().is_none_or(Thread::is_settled)
    }

    async fn run_line(&mut self, line: Line) -> anyhow::Result<()> {
        match line {
            Line::Queue => self.show_queue(),
            Line::List => self.show_list().await,
            Line::Claim(place) => self.claim(place).await,
            Line::Watch(place) => match self.place(place) {
                Some(conversation) => {
                    self.watch(conversation).await;
                    Ok(())
                }
                None => Ok(self.terminal.0.note("no such number: /queue or /list first")?),
            },
            Line::Quit => {
                self.has_quit = true;
                Ok(())
            }
            Line::Help => Ok(self.terminal.0.note(HELP)?),
            Line::Unknown(text) => Ok(self.terminal.0.note(&format!("{text}? {HELP}"))?),
            line => self.command(line),
        }
    }

    /// A command about the conversation that is watched.
    fn command(&mut self, line: Line) -> anyhow::Result<()> {
        let Some(thread) = &mut self.watched else {
            return Ok(self.terminal.0.note("no conversation yet: /claim or /watch one")?);
        };
        let client_msg_id = new_id()?;
        let conversation = thread.conversation.id;
        let control_version = thread.conversation.control_version;
        let frame = match line {
            Line::Say(text) => StaffFrame::Say { conversation, client_msg_id, after: None, text, traceparent: None },
            Line::TakeOver => StaffFrame::TakeOver { conversation, client_msg_id, control_version },
            Line::Back(to) => StaffFrame::HandBack { conversation, client_msg_id, control_version, to },
            Line::Assistant => {
                StaffFrame::HandBack { conversation, client_msg_id, control_version, to: ReturnTo::Assistant }
            }
            Line::Close => StaffFrame::Close { conversation, client_msg_id, control_version },
            _ => return Ok(self.terminal.0.note("that is for customers")?),
        };
        if let Some(id) = frame.client_msg_id() {
            self.terminal.0.typed(id.clone());
        }
        thread.send(frame);
        Ok(())
    }

    async fn claim(&mut self, place: Place) -> anyhow::Result<()> {
        let queue = self.queue.as_deref().unwrap_or_default();
        let found = match place {
            Place::Number(number) => number.checked_sub(1).and_then(|index| queue.get(index)),
            Place::Id(id) => queue.iter().find(|entry| entry.conversation == id),
        };
        let Some((conversation, control_version)) = found.map(|entry| (entry.conversation, entry.control_version))
        else {
            return Ok(self.terminal.0.note("nobody waits there: /queue")?);
        };
        self.watch(conversation).await;
        let client_msg_id = new_id()?;
        if let Some(thread) = &mut self.watched {
            thread.send(StaffFrame::Claim { conversation, client_msg_id, control_version });
        }
        Ok(())
    }

    fn place(&self, place: Place) -> Option<ConversationId> {
        match place {
            Place::Id(id) => Some(id),
            Place::Number(number) => self.listed.get(number.checked_sub(1)?).copied(),
        }
    }

    async fn watch(&mut self, conversation: ConversationId) {
        if let Some(before) = &self.watched {
            if before.conversation.id == conversation {
                return;
            }
            let unwatch = StaffFrame::Unwatch { conversation: before.conversation.id };
            self.connection.send(&unwatch).await;
        }
        let thread = Thread::new(conversation);
        self.connection.send(&watch_frame(&thread)).await;
        self.watched = Some(thread);
        self.terminal.0.start_over();
    }

    async fn flush(&mut self) {
        let Some(thread) = &mut self.watched else { return };
        if !self.connection.is_live() {
            return;
        }
        if let Some(cursor) = thread.resume_from() {
            let watch = StaffFrame::Watch { conversation: thread.conversation.id, cursor: Some(cursor) };
            self.connection.send(&watch).await;
        }
        for frame in thread.due(Instant::now()) {
            self.connection.send(&frame).await;
        }
    }

    fn is_done(&self) -> bool {
        let settled = self.watched.as_ref().is_none_or(Thread::is_settled);
        self.has_quit || (self.input.has_ended() && self.lines.is_empty() && settled)
    }
}

fn watch_frame(thread: &Thread<StaffFrame>) -> StaffFrame {
    StaffFrame::Watch { conversation: thread.conversation.id, cursor: thread.conversation.cursor() }
}

fn hello(token: &str) -> String {
    let frame = StaffFrame::Hello { versions: vec![VERSION], token: Some(token.to_owned()) };
    serde_json::to_string(&frame).unwrap_or_default()
}
