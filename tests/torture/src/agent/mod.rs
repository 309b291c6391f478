//! An agent who takes conversations over in the middle of a reply, says something, and hands them back.
//!
//! Where there are several nodes, agents also race: all of them go for whoever is first in the queue as soon as they are
//! shown it, and for the same conversation's reply at the same time. The first of them is a supervisor, who takes
//! conversations from the others. Now and then one is killed while a customer is with it, and whoever takes its place, at
//! another node, gives the customer back to the queue.

mod desk;

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use self::desk::{Desk, Order};
use crate::history::History;
use crate::scene::Scene;

/// How long an agent waits for a reply to begin before looking elsewhere.
const BOREDOM: Duration = Duration::from_millis(500);
/// Everybody who races looks at another conversation so often, in seconds.
const TURNS_S: u64 = 2;

/// An agent at the desk.
pub(crate) struct Agent {
    desk: Desk,
    dice: StdRng,
    conversations: Vec<Uuid>,
    habits: Habits,
}

/// How an agent works.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// Whether it goes for what the others go for.
    pub races: bool,
    /// Whether it may take a conversation from another agent.
    pub supervises: bool,
}

impl Agent {
    pub(crate) fn new(
        scene: Scene,
        (token, conversations): (String, Vec<Uuid>),
        habits: Habits,
        mut dice: StdRng,
    ) -> Self {
        let desk = Desk::new(scene, token, &mut dice);
        Self { desk, dice, conversations, habits }
    }

    /// Works until it is over.
    pub(crate) async fn run(mut self) {
        while !self.desk.scene.is_over() {
            // Whoever is told that somebody waits no longer tries the next one.
            let waiting = if self.habits.races { self.desk.waiting.pop_front() } else { None };
            match waiting {
                Some(customer) => self.claim(customer).await,
                None => {
                    let conversation = self.somewhere();
                    self.visit(conversation).await
                }
            };
        }
        // Nobody is left alone with an agent who has gone home.
        for conversation in self.conversations.clone() {
            while !self.is_returned(conversation, "assistant").await {}
        }
    }

    /// Takes a conversation over and is gone for good. The history, for whoever is left.
    pub(crate) async fn forsake(mut self, conversation: Uuid) -> Arc<History> {
        loop {
            if self.desk.watch(conversation).await.is_some() {
                if self.desk.has_control() {
                    return self.desk.scene.history;
                }
                self.desk.command("take_over", json!({})).await;
            }
        }
    }

    /// The conversation to look at: any, or the one at which everybody looks just now.
    fn somewhere(&mut self) -> Uuid {
        let any = self.dice.random_range(0..self.conversations.len());
        let together = self.habits.races && self.dice.random_ratio(1, 2);
        let now = usize::try_from(self.desk.scene.began.elapsed().as_secs() / TURNS_S).unwrap_or_default();
        self.conversations[if together { now % self.conversations.len() } else { any }]
    }

    /// Takes the customer who waits at this version of control, unless another agent is faster.
    async fn claim(&mut self, (conversation, version): (Uuid, u64)) -> Option<()> {
        self.desk.order(Order::at("claim", conversation, version)).await?;
        self.desk.watch(conversation).await?;
        self.talk(conversation).await
    }

    /// Looks at a conversation; takes it over if a reply is in progress, talks, and hands it back.
    async fn visit(&mut self, conversation: Uuid) -> Option<()> {
        self.desk.watch(conversation).await?;
        let bored = Instant::now() + BOREDOM;
        while !self.desk.watched.turn_is_open && self.desk.watched.is_with("assistant") {
            if self.habits.races && !self.desk.waiting.is_empty() {
                return None;
            }
            self.desk.listen(bored.checked_duration_since(Instant::now())?).await?;
        }
        if self.desk.watched.is_with("assistant") {
            // Somewhere in the reply.
            for _ in 0..self.dice.random_range(0..6) {
                self.desk.listen(BOREDOM).await?;
            }
            self.desk.command("take_over", json!({})).await?;
        } else if self.habits.supervises && self.desk.watched.is_with("agent") && !self.desk.has_control() {
            self.desk.command("take_over", json!({})).await?;
        }
        // A takeover ends the reply; who sees it go on stays until it has ended.
        while self.desk.watched.turn_is_open {
            self.desk.listen(self.desk.scene.patience).await?;
        }
        self.talk(conversation).await
    }

    /// Says something, and gives the customer back.
    async fn talk(&mut self, conversation: Uuid) -> Option<()> {
        for _ in 0..self.dice.random_range(0..3) {
            let text = self.desk.text();
            self.desk.command("say", json!({"text": text})).await?;
        }
        if self.habits.races && self.dice.random_ratio(1, 8) {
            self.desk.die();
            sleep(Duration::from_millis(self.dice.random_range(100..1_000))).await;
            while !self.is_returned(conversation, "queue").await {}
            return None;
        }
        let to = if self.habits.races && self.dice.random() { "queue" } else { "assistant" };
        self.is_returned(conversation, to).await.then_some(())
    }

    async fn is_returned(&mut self, conversation: Uuid, to: &str) -> bool {
        if self.desk.watch(conversation).await.is_none() {
            return false;
        }
        !self.desk.has_control() || self.desk.command("hand_back", json!({"to": to})).await.is_some()
    }
}
