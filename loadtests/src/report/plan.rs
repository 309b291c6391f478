//! What the report measures, at which size, and which figures are held against which mark.

use std::path::PathBuf;

use anyhow::Result;

use super::servers::{Model, Onya, Relay, Settings};
use super::table::{Mark, Row};
use super::{Finding, Part};
use crate::figures::Figures;
use crate::measure::{ack, churn, handshake, idle, stream};
use crate::output::progress;
use crate::upstream::ScriptArgs;

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    idle: idle::IdleShape,
    idle_many: idle::IdleShape,
    live: idle::IdleShape,
    handshake: handshake::HandshakeShape,
    stream: stream::StreamShape,
    /// How often streams are measured, on Onya and on the relay in turn: a ratio of two minutes says little on a machine that is
    /// not as fast in one as in the next.
    stream_rounds: usize,
    ack: ack::AckShape,
    churn: churn::ChurnShape,
}

/// Short replies, where replies are not what is measured.
const SHORT: ScriptArgs = ScriptArgs { tokens: 8, tokens_per_second: 200.0, first_token_ms: 10 };

impl Sizes {
    /// The sizes that the marks are for.
    pub(super) fn full(churn_minutes: f64) -> Self {
        let idle = |connections, messages| idle::IdleShape {
            connections,
            messages,
            rate: 500.0,
            warm_up: 100,
            settle_ms: 4_000,
            per_process: 15_000,
        };
        let script = ScriptArgs { tokens: 64, tokens_per_second: 20.0, first_token_ms: 50 };
        Self {
            idle: idle(5_000, 0),
            idle_many: idle(19_000, 0),
            live: idle(5_000, 4),
            handshake: handshake::HandshakeShape { connections: 5_000, rate: 20_000.0 },
            stream: stream::StreamShape { streams: 1_000, seconds: 15, script },
            stream_rounds: 5,
            ack: ack::AckShape { rate: 1_000.0, seconds: 20, connections: 200 },
            churn: churn::ChurnShape { minutes: churn_minutes, rate: 50.0 },
        }
    }

    /// Sizes that any machine can do in seconds.
    pub(super) fn quick() -> Self {
        let idle = |messages, per_process| idle::IdleShape {
            connections: 20,
            messages,
            rate: 100.0,
            warm_up: 2,
            settle_ms: 100,
            per_process,
        };
        let script = ScriptArgs { tokens: 8, tokens_per_second: 100.0, first_token_ms: 10 };
        Self {
            idle: idle(0, 20),
            idle_many: idle(0, 8),
            live: idle(4, 20),
            handshake: handshake::HandshakeShape { connections: 20, rate: 100.0 },
            stream: stream::StreamShape { streams: 5, seconds: 1, script },
            stream_rounds: 1,
            ack: ack::AckShape { rate: 50.0, seconds: 1, connections: 5 },
            churn: churn::ChurnShape { minutes: 0.05, rate: 10.0 },
        }
    }
}

/// How the report is made.
pub(super) struct Plan {
    pub bin: PathBuf,
    pub database_url: Option<String>,
    pub sizes: Sizes,
}

/// In memory for a moment only, or for longer than any measurement.
fn passivation(soon: bool) -> (&'static str, String) {
    ("ONYA_CONVERSATION__PASSIVATE_AFTER_MS", if soon { "1000" } else { "3600000" }.to_owned())
}

fn row(what: &str, key: &str, (unit, mark): (&'static str, Mark), of: (&Figures, Option<&Figures>)) -> Row {
    let beside = of.1.and_then(|figures| figures.get(key));
    Row { what: what.to_owned(), unit, onya: of.0.get(key), beside, mark }
}

impl Plan {
    pub(super) async fn measure(&self, part: Part) -> Result<Finding> {
        let script = if part == Part::Stream { self.sizes.stream.script } else { SHORT };
        let model = Model::start(script).await?;
        let finding = match part {
            Part::Idle => self.idle(&model, self.sizes.idle).await,
            Part::Idle19k => self.idle(&model, self.sizes.idle_many).await,
            Part::Live => self.idle(&model, self.sizes.live).await,
            Part::Handshake => self.handshake(&model).await,
            Part::Stream => self.stream(&model).await,
            Part::Ack => self.ack(&model).await,
            Part::Churn => self.churn(&model).await,
        }?;
        model.stop().await?;
        Ok(finding)
    }

    async fn onya(&self, model: &Model, settings: Settings<'_>) -> Result<Onya> {
        let settings = [&model.settings(), settings].concat();
        Onya::prepare(self.bin.clone(), self.database_url.as_deref(), &settings).await
    }

    async fn idle(&self, model: &Model, shape: idle::IdleShape) -> Result<Finding> {
        let live = shape.messages > 0;
        let mut onya = self.onya(model, &[passivation(!live)]).await?;
        // What making the customers needed, another process has needed: this one only sees them connect.
        let guests = idle::guests(&*onya.start().await?, shape).await?;
        onya.stop().await?;
        let target = onya.start().await?;
        let found = target.watched()?.memory()?;
        let ours = idle::measure(target, shape, (found, guests)).await?;
        onya.end().await?;
        let relay = Relay::start(model).await?;
        let (found, guests) = (relay.target.watched()?.memory()?, idle::guests(&relay.target, shape).await?);
        let floor = idle::measure(relay.target.clone(), shape, (found, guests)).await?;
        relay.stop().await?;
        let (state, most) = if live { ("live actor, 4 messages", 20.0) } else { ("conversation passivated", 9.0) };
        let what = format!("memory of an idle socket, {state}, {} sockets", shape.connections);
        let rows = vec![row(&what, "rss_per_socket", ("KiB", Mark::AtMost(most)), (&ours, Some(&floor)))];
        Ok(Finding { rows, figures: vec![("Onya", ours), ("relay", floor)] })
    }

    async fn handshake(&self, model: &Model) -> Result<Finding> {
        let mut onya = self.onya(model, &[]).await?;
        let ours = handshake::measure(onya.start().await?, self.sizes.handshake).await?;
        onya.end().await?;
        let relay = Relay::start(model).await?;
        let floor = handshake::measure(relay.target.clone(), self.sizes.handshake).await?;
        relay.stop().await?;
        let of = (&ours, Some(&floor));
        let rows = vec![
            row("CPU of a handshake, accept to 101", "server_cpu_per_handshake", ("us", Mark::AtMost(100.0)), of),
            row("CPU of a hello, to synced", "server_cpu_per_hello", ("us", Mark::None), of),
            row("CPU of a close", "server_cpu_per_close", ("us", Mark::None), of),
        ];
        Ok(Finding { rows, figures: vec![("Onya", ours), ("relay", floor)] })
    }

    async fn stream(&self, model: &Model) -> Result<Finding> {
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for round in 1..=self.sizes.stream_rounds {
            progress(&format!("report: streams, round {round} of {}", self.sizes.stream_rounds));
            let mut onya = self.onya(model, &[]).await?;
            ours.push(stream::measure(onya.start().await?, self.sizes.stream).await?);
            onya.end().await?;
            let relay = Relay::start(model).await?;
            floor.push(stream::measure(relay.target.clone(), self.sizes.stream).await?);
            relay.stop().await?;
        }
        let [ours, floor] = [ours, floor].map(|rounds| Figures::of_rounds(rounds, &["streams_wrong"]));
        let (of, streams) = ((&ours, Some(&floor)), self.sizes.stream.streams);
        let first = "first_token_over_upstream_less_commit";
        let rows = vec![
            row(
                &format!("CPU of a token, {streams} streams"),
                "server_cpu_per_token",
                ("us", Mark::Times(1.4, "relay")),
                of,
            ),
            row("first token over the upstream's, p50", &format!("{first}_p50"), ("ms", Mark::None), of),
            row("first token over the upstream's, p99", &format!("{first}_p99"), ("ms", Mark::AtMost(10.0)), of),
            row("streams not complete or not correct", "streams_wrong", ("", Mark::AtMost(0.0)), of),
            row("frames per token", "frames_per_token", ("", Mark::None), of),
        ];
        Ok(Finding { rows, figures: vec![("Onya", ours), ("relay", floor)] })
    }

    async fn ack(&self, model: &Model) -> Result<Finding> {
        let mut onya = self.onya(model, &[]).await?;
        let target = onya.start().await?;
        let ours = ack::measure(target, self.sizes.ack, onya.database_url()).await?;
        onya.end().await?;
        let of = (&ours, None);
        let mut rows = vec![row("durable acknowledgement, p50", "ack_p50", ("ms", Mark::AtMost(15.0)), of)];
        if ours.get("bare_commit_p50").is_some() {
            let mark = ("ms", Mark::AtMost(50.0));
            rows.push(row("durable acknowledgement, p99 over one commit", "ack_p99_over_commit", mark, of));
            rows.push(row("one bare commit, median", "bare_commit_p50", ("ms", Mark::None), of));
        } else {
            rows.push(row("durable acknowledgement, p99 (SQLite)", "ack_p99", ("ms", Mark::None), of));
        }
        rows.push(row("CPU of a message", "server_cpu_per_message", ("us", Mark::None), of));
        Ok(Finding { rows, figures: vec![("Onya", ours)] })
    }

    async fn churn(&self, model: &Model) -> Result<Finding> {
        let mut onya = self.onya(model, &[passivation(true)]).await?;
        let ours = churn::measure(onya.start().await?, self.sizes.churn).await?;
        onya.end().await?;
        let of = (&ours, None);
        let what = format!("memory flat over {} min of visits", self.sizes.churn.minutes);
        let rows = vec![
            row(&what, "flat", ("", Mark::Yes), of),
            row("growth of memory a visit", "rss_slope_per_visit", ("bytes", Mark::None), of),
        ];
        Ok(Finding { rows, figures: vec![("Onya", ours)] })
    }
}
