//! Random walks over nodes that come, drain and die and links that are cut, with readers that tolerate no broken rule.

use std::collections::BTreeMap;
use std::time::Duration;

use onya_actors::Settings;
use onya_actors::ports::{ModelEnd, Random, TailLimit};
use onya_actors::testing::{Asked, Fault, SeededRandom, StrictReader};
use onya_core::AssignmentId;
use onya_core::conversation::{Action, Failure, Overlap, Policy, ReturnTo};
use uuid::Uuid;

use super::world::{NAMES, Nodes};
use crate::checks;
use crate::walk::{seeds, take_waiting};
use crate::world::{AGENT, CUSTOMER, Customer, SUPERVISOR, serde_say};

const STEPS: usize = 80;
const READERS: usize = 3;

struct Walk {
    nodes: Nodes,
    random: SeededRandom,
    /// The newest start of each of the three nodes.
    alive: Vec<usize>,
    /// On which of them each reader is, its socket and what it was shown.
    readers: Vec<(usize, Customer, StrictReader)>,
    asked: Vec<Asked>,
    sent: BTreeMap<String, String>,
    outcomes: BTreeMap<String, u64>,
    /// A node that does not know that it is dead.
    zombie: Option<usize>,
    /// Restarts that were met.
    restarts: usize,
}

#[tokio::test(start_paused = true)]
async fn random_walks_over_nodes_break_no_promise() {
    let mut restarts = 0;
    // Fewer than of walks over one node: each of these is as long as ten.
    for seed in 0..seeds().div_ceil(4) {
        let settings = Settings {
            window: TailLimit { entries: 20, bytes: 4_096 },
            snapshot_entries: 5,
            passivate_after_ms: 2_000,
            snapshot_every: 8,
            goaway_spread_ms: 100,
            drain_reply_limit_ms: 500,
            sweep_interval_ms: 2_000,
            policy: Policy { turn_timeout_ms: 20_000, ..Policy::default() },
            ..Settings::default()
        };
        let mut walk = Walk::new(seed, settings).await;
        for step in 0..STEPS {
            walk.step(seed, step).await;
        }
        walk.finish(seed).await;
        restarts += walk.restarts;
    }
    assert!(restarts > 0, "no node was ever restarted");
}

impl Walk {
    async fn new(seed: u64, settings: Settings) -> Self {
        let nodes = Nodes::with(settings).await;
        let mut readers = Vec::new();
        for node in 0..READERS {
            readers.push((node, nodes.customer(node, None).await, StrictReader::of_a_cluster()));
        }
        Self {
            nodes,
            random: SeededRandom::new(seed),
            alive: (0..NAMES.len()).collect(),
            readers,
            asked: Vec::new(),
            sent: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            zombie: None,
            restarts: 0,
        }
    }

    async fn step(&mut self, seed: u64, step: usize) {
        let id = format!("s{seed}-{step}");
        match self.random.below(24) {
            0..=4 => self.say_on_socket(&id).await,
            5 => self.command(CUSTOMER, &id, Action::Stop { turn: None }).await,
            6 => self.command(CUSTOMER, &id, Action::Regenerate { reply: None }).await,
            7 => self.interrupt(&id).await,
            8..=9 => self.staff(&id).await,
            10..=14 => self.model().await,
            15 => self.fault(),
            16 => self.cut(),
            17 => self.nodes.cluster.mend(),
            18 => self.reconnect(None).await,
            19 if self.random.below(2) == 0 => self.restart_after_a_verdict().await,
            20 if self.random.below(2) == 0 => self.restart_after_a_drain().await,
            21 => tokio::time::sleep(Duration::from_millis(self.random.below(8_000))).await,
            _ => tokio::time::sleep(Duration::from_millis(self.random.below(60))).await,
        }
        self.read().await;
    }

    fn any_node(&self) -> usize {
        self.alive[usize::try_from(self.random.below(self.alive.len() as u64)).unwrap()]
    }

    async fn say_on_socket(&mut self, id: &str) {
        let text = format!("text {id}");
        self.sent.insert(id.to_owned(), text.clone());
        let which = usize::try_from(self.random.below(READERS as u64)).unwrap();
        self.readers[which].1.connection.handle(serde_say(id, &text, None)).await;
    }

    async fn interrupt(&mut self, id: &str) {
        let text = format!("text {id}");
        self.sent.insert(id.to_owned(), text.clone());
        self.command(CUSTOMER, id, Action::Say { text, overlap: Overlap::Interrupt }).await;
    }

    async fn staff(&mut self, id: &str) {
        let who = if self.random.below(3) == 0 { SUPERVISOR } else { AGENT };
        let control_version = checks::state(self.nodes.id, &self.nodes.entries()).control_version;
        let assignment = AssignmentId(Uuid::from_u128(5));
        let action = match self.random.below(4) {
            0 => Action::Claim { control_version, assignment },
            1 => Action::TakeOver { control_version, assignment },
            2 => Action::HandBack { control_version, to: ReturnTo::Assistant },
            _ => Action::Say { text: format!("answer {id}"), overlap: Overlap::Queue },
        };
        self.command(who, id, action).await;
    }

    async fn command(&mut self, who: u128, id: &str, action: Action) {
        let node = self.any_node();
        if let Ok(ack) = self.nodes.request_as(node, (who, id), action).await {
            self.outcomes.insert(id.to_owned(), ack.seq);
        }
    }

    async fn model(&mut self) {
        tokio::task::yield_now().await;
        for node in &self.nodes.nodes {
            while node.model.is_asked() {
                self.asked.push(node.model.asked().await);
            }
        }
        // Mostly the newest question; sometimes one that a node which is gone still works on.
        let back = usize::try_from(self.random.below(4)).unwrap() / 3;
        let Some(asked) = self.asked.iter().rev().nth(back) else { return };
        match self.random.below(12) {
            0 => asked.end(ModelEnd::Complete),
            1 => asked.end(ModelEnd::Failed(Failure::ReplyCut)),
            _ => asked.say(&format!("wört{} ", self.random.below(1_000))),
        }
    }

    fn fault(&self) {
        let fault = match self.random.below(4) {
            0 => Fault::Unavailable,
            1 => Fault::UnknownDone,
            2 => Fault::UnknownLost,
            _ => Fault::Locked,
        };
        self.nodes.log().fail([fault]);
    }

    fn cut(&self) {
        let (a, b) = (self.any_node(), self.any_node());
        self.nodes.cluster.cut(self.nodes.nodes[a].me, self.nodes.nodes[b].me);
    }

    /// A node is declared dead and does not know; another start of it joins.
    async fn restart_after_a_verdict(&mut self) {
        let which = usize::try_from(self.random.below(NAMES.len() as u64)).unwrap();
        self.nodes.bury(self.alive[which]);
        self.let_the_zombie_end(Some(self.alive[which])).await;
        self.restart(which).await;
    }

    async fn let_the_zombie_end(&mut self, next: Option<usize>) {
        if let Some(zombie) = std::mem::replace(&mut self.zombie, next) {
            self.nodes.nodes[zombie].sessions.drain().await;
        }
    }

    async fn restart_after_a_drain(&mut self) {
        let which = usize::try_from(self.random.below(NAMES.len() as u64)).unwrap();
        self.nodes.nodes[self.alive[which]].sessions.drain().await;
        self.read().await;
        self.nodes.bury(self.alive[which]);
        self.restart(which).await;
    }

    async fn restart(&mut self, which: usize) {
        let gone = self.alive[which];
        self.alive[which] = self.nodes.join(NAMES[which]).await;
        self.reconnect(Some(gone)).await;
        self.restarts += 1;
    }

    /// Opens sockets again, on any node: those that were on this one, or one of them.
    async fn reconnect(&mut self, gone: Option<usize>) {
        let one = usize::try_from(self.random.below(READERS as u64)).unwrap();
        for which in 0..READERS {
            if gone.map_or(which == one, |gone| self.readers[which].0 == gone) {
                self.open_again(which).await;
            }
        }
    }

    async fn open_again(&mut self, which: usize) {
        let (node, cursor) = (self.any_node(), self.readers[which].2.cursor());
        (self.readers[which].0, self.readers[which].1) = (node, self.nodes.customer(node, cursor).await);
    }

    async fn read(&mut self) {
        for which in 0..READERS {
            let (_, customer, reader) = &mut self.readers[which];
            if take_waiting(customer, reader).await {
                self.open_again(which).await;
            }
        }
    }

    async fn finish(&mut self, seed: u64) {
        self.nodes.cluster.mend();
        self.let_the_zombie_end(None).await;
        // Every open question finds its end: the model says no more, so the deadline does.
        for _ in 0..600 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.read().await;
            if checks::state(self.nodes.id, &self.nodes.entries()).turn.is_none() {
                break;
            }
        }
        // What links and moves held up arrives without a new socket.
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            self.read().await;
        }
        let entries = self.nodes.entries();
        checks::log_is_whole(seed, &entries, &checks::state(self.nodes.id, &entries));
        let readers: Vec<_> = self.readers.iter().map(|(.., reader)| reader).collect();
        checks::commands_are_kept(seed, &entries, &readers, (&self.sent, &self.outcomes));
        readers.iter().for_each(|reader| checks::reader_saw_the_log(seed, &entries, reader));
    }
}
