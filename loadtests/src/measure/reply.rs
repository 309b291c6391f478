//! A question and its streamed reply, read strictly: what a client must be able to rely on is checked at every frame.

use std::borrow::Cow;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use onya_protocol::{EntryBody, ErrorCode, Refusal, ServerFrame};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::clock::monotonic_ns;
use crate::socket::{Socket, frame};
use crate::upstream::script::Stamp;

/// Pause before a command is sent again, in ms, if the server names none.
const RETRY_MS: u64 = 100;
/// A server that takes no message after so many is not slow, it is broken.
const MOST_RETRIES: usize = 100;
const DELTA: &str = r#"{"type":"delta""#;
const END: &str = r#"{"type":"end"}"#;

/// The moments of one reply, in ns of the machine's clock, and its text.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    pub said_ns: u64,
    /// 0 from a bare relay, which acknowledges nothing.
    pub acked_ns: u64,
    pub first_ns: u64,
    pub ended_ns: u64,
    pub frames: usize,
    /// How often the question was sent again, because the server could not take it at that moment.
    pub again: usize,
    pub text: String,
    /// The question, as it was sent.
    say: String,
    /// When to send it again, in ms from now.
    retry_after_ms: Option<u64>,
    /// The committed reply; a bare relay has none.
    committed: Option<String>,
}

/// A relay looks only at how it begins, so the order of the fields matters.
#[derive(Serialize)]
struct Say<'a> {
    r#type: &'static str,
    client_msg_id: &'a str,
    text: &'a str,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(default)]
    offset: Option<usize>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// Asks something and waits for the whole reply, whatever it is.
pub(super) async fn ask(socket: &mut Socket, bare: bool) -> Result<Reply> {
    let mut reply = Reply::say(socket, "load").await?;
    while !reply.is_whole(bare) {
        reply.hear(socket).await?;
    }
    Ok(reply)
}

impl Reply {
    /// Asks. The name of the command is the moment, which no other command of this socket shares.
    pub(super) async fn say(socket: &mut Socket, who: &str) -> Result<Self> {
        let said_ns = monotonic_ns();
        let say = Say { r#type: "say", client_msg_id: &format!("{who}-{said_ns}"), text: "Where is my parcel?" };
        let say = serde_json::to_string(&say)?;
        socket.send(say.clone()).await?;
        Ok(Self { said_ns, say, ..Self::default() })
    }

    /// Waits for the next frame and takes it in; sends the question again if it asks for that, as every client must.
    pub(super) async fn hear(&mut self, socket: &mut Socket) -> Result<()> {
        self.read(&socket.expect().await?)?;
        if let Some(wait_ms) = self.retry_after_ms.take() {
            ensure!(self.again < MOST_RETRIES, "the server did not take a message {MOST_RETRIES} times");
            sleep(Duration::from_millis(wait_ms)).await;
            self.again += 1;
            socket.send(self.say.clone()).await?;
        }
        Ok(())
    }

    /// Takes in one frame.
    pub(super) fn read(&mut self, text: &str) -> Result<()> {
        if text.starts_with(DELTA) {
            return self.delta(text);
        }
        if text == END {
            self.ended_ns = monotonic_ns();
            return Ok(());
        }
        match frame(text)? {
            ServerFrame::Ack(_) => self.acked_ns = monotonic_ns(),
            ServerFrame::Entry { entry, .. } => {
                if let EntryBody::TurnEnded { outcome, text, .. } = &entry.body {
                    ensure!(serde_json::to_value(outcome)? == "final", "the turn ended as {outcome:?}");
                    self.ended_ns = monotonic_ns();
                    if self.frames == 0 {
                        self.first_ns = self.ended_ns;
                    }
                    self.committed = Some(text.clone());
                }
            }
            ServerFrame::Refused(refusal) => self.retry_after_ms = Some(retry(&refusal)?),
            ServerFrame::Reset(_) => bail!("a reply was withdrawn"),
            _ => {}
        }
        Ok(())
    }

    fn delta(&mut self, text: &str) -> Result<()> {
        let delta: Delta<'_> = serde_json::from_str(text)?;
        if self.frames == 0 {
            self.first_ns = monotonic_ns();
        }
        let expected = self.text.len();
        ensure!(delta.offset.is_none_or(|offset| offset == expected), "text at {:?}, not at {expected}", delta.offset);
        ensure!(self.ended_ns == 0, "text after the end of its turn");
        self.frames += 1;
        self.text.push_str(&delta.text);
        Ok(())
    }

    /// Whether everything that belongs to it has come.
    pub(super) fn is_whole(&self, bare: bool) -> bool {
        self.ended_ns != 0 && (bare || self.acked_ns != 0)
    }

    /// Fails unless what was shown is how the committed text begins. Its last piece may come with the commit alone.
    pub(super) fn check(&self) -> Result<()> {
        let (shown, whole) = (&self.text, self.whole());
        ensure!(whole.starts_with(shown.as_str()), "{shown:?} was shown, {whole:?} was committed");
        Ok(())
    }

    /// The text to keep: what was committed, or from a bare relay what was shown.
    pub(super) fn whole(&self) -> &str {
        self.committed.as_deref().unwrap_or(&self.text)
    }

    /// Whether a part of the text came with the commit alone.
    pub(super) fn is_cut_short(&self) -> bool {
        self.text.len() < self.whole().len()
    }

    /// When the upstream got the question and when it sent the first token.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        Stamp::read(self.whole())
    }
}

/// When to send a refused command again, in ms; an error if that would not help.
pub(super) fn retry(refusal: &Refusal) -> Result<u64> {
    match refusal.code {
        ErrorCode::Busy | ErrorCode::Unknown => Ok(refusal.retry_after_ms.unwrap_or(RETRY_MS)),
        code => bail!("refused: {} ({code:?})", refusal.message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DELTA_0: &str = r#"{"type":"delta","turn":3,"epoch":1,"attempt":1,"offset":0,"text":"Grüße"}"#;
    const CONVERSATION: &str = "0198a1f0-0000-7000-8000-00000000c0de";

    fn delta(offset: usize, text: &str) -> String {
        format!(r#"{{"type":"delta","turn":3,"offset":{offset},"text":"{text}"}}"#)
    }

    fn ended(outcome: &str, text: &str) -> String {
        json!({
            "type": "entry", "conversation": CONVERSATION, "seq": 4, "prev": 3, "at": 0,
            "kind": "turn_ended", "turn": 3, "outcome": outcome, "text": text,
        })
        .to_string()
    }

    #[test]
    fn a_reply_is_whole_with_its_text_its_end_and_its_acknowledgement() {
        let mut reply = Reply::default();
        reply.read(DELTA_0).unwrap();
        reply.read(&delta(7, " aus")).unwrap();
        reply.read(&ended("final", "Grüße aus")).unwrap();
        assert!(!reply.is_whole(false), "the acknowledgement is missing");
        let ack = json!({"type": "ack", "conversation": CONVERSATION, "client_msg_id": "m", "seq": 2});
        reply.read(&ack.to_string()).unwrap();
        assert!(reply.is_whole(false));
        reply.check().unwrap();
        assert_eq!((reply.frames, reply.text.as_str()), (2, "Grüße aus"));
    }

    #[test]
    fn a_hole_in_the_text_is_noticed() {
        let mut reply = Reply::default();
        reply.read(DELTA_0).unwrap();
        assert!(reply.read(&delta(8, "x")).is_err());
        assert!(reply.read(&delta(6, "x")).is_err(), "and so is text that comes twice");
    }

    #[test]
    fn a_commit_that_differs_from_what_was_shown_is_noticed() {
        let mut reply = Reply::default();
        reply.read(DELTA_0).unwrap();
        reply.read(&ended("final", "Grüsse")).unwrap();
        assert!(reply.check().is_err());
        assert!(reply.read(&delta(7, "x")).is_err(), "nothing may follow the end");
    }

    #[test]
    fn the_last_piece_may_come_with_the_commit_alone() {
        let mut reply = Reply::default();
        reply.read(DELTA_0).unwrap();
        reply.read(&ended("final", "Grüße aus")).unwrap();
        reply.check().unwrap();
        assert!(reply.is_cut_short());
        assert_eq!(reply.whole(), "Grüße aus");
    }

    #[test]
    fn a_reply_that_failed_is_none() {
        assert!(Reply::default().read(&ended("failed", "")).is_err());
    }

    #[test]
    fn a_busy_server_is_asked_again_and_a_firm_no_is_taken() {
        let refused = |code: &str| json!({"type": "refused", "code": code, "message": "", "retry_after_ms": 70});
        let mut reply = Reply::default();
        reply.read(&refused("busy").to_string()).unwrap();
        assert_eq!(reply.retry_after_ms, Some(70));
        assert!(reply.read(&refused("closed").to_string()).is_err());
    }

    #[test]
    fn a_relay_says_when_it_is_done_and_no_more() {
        let mut reply = Reply::default();
        reply.read(r#"{"type":"delta","text":"a"}"#).unwrap();
        reply.read(END).unwrap();
        assert!(reply.is_whole(true) && reply.check().is_ok());
    }
}
