//! Random walks: customers, staff, a moody model and a faulty store, with readers that tolerate no broken rule.

use std::collections::BTreeMap;
use std::time::Duration;

use onya_actors::Settings;
use onya_actors::ports::{ModelEnd, Random, TailLimit};
use onya_actors::testing::{Asked, Fault, SeededRandom, StrictReader};
use onya_core::AssignmentId;
use onya_core::conversation::{Action, Failure, Overlap, Priority, ReturnTo, State};
use uuid::Uuid;

use super::checks;
use super::world::{AGENT, CUSTOMER, Customer, SUPERVISOR, World, serde_say};

const STEPS: usize = 120;

/// How many walks: `ONYA_WALK_SEEDS`, or enough to meet every rare event.
pub fn seeds() -> u64 {
    std::env::var("ONYA_WALK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40)
}

struct Walk {
    world: World,
    random: SeededRandom,
    readers: Vec<(Customer, StrictReader)>,
    asked: Vec<Asked>,
    sent: BTreeMap<String, String>,
    outcomes: BTreeMap<String, u64>,
}

#[tokio::test(start_paused = true)]
async fn random_walks_break_no_promise() {
    for seed in 0..seeds() {
        let settings = Settings {
            window: TailLimit { entries: 20, bytes: 4_096 },
            snapshot_entries: 5,
            passivate_after_ms: 2_000,
            snapshot_every: 8,
            ..Settings::default()
        };
        let world = World::with(settings).await;
        let mut walk = Walk {
            readers: vec![
                (world.customer(None).await, StrictReader::default()),
                (world.customer(None).await, StrictReader::default()),
            ],
            world,
            random: SeededRandom::new(seed),
            asked: Vec::new(),
            sent: BTreeMap::new(),
            outcomes: BTreeMap::new(),
        };
        for step in 0..STEPS {
            walk.step(seed, step).await;
        }
        walk.finish(seed).await;
    }
}

/// Shows the reader what waits on its socket; whether the socket is closed.
pub async fn take_waiting(customer: &Customer, reader: &mut StrictReader) -> bool {
    let queue = customer.connection.queue();
    let Ok((frames, closing)) = tokio::time::timeout(Duration::from_millis(1), queue.next()).await else {
        return false;
    };
    frames.into_iter().for_each(|frame| reader.take(frame));
    closing.is_some()
}

impl Walk {
    async fn step(&mut self, seed: u64, step: usize) {
        let id = format!("s{seed}-{step}");
        match self.random.below(20) {
            0..=3 => self.say_on_socket(&id).await,
            4 => self.command(CUSTOMER, &id, Action::Stop { turn: None }).await,
            5 => self.command(CUSTOMER, &id, Action::Regenerate { reply: None }).await,
            6 => self.command(CUSTOMER, &id, Action::Escalate { summary: None }).await,
            7 => self.staff(&id).await,
            8 => self.interrupt(&id).await,
            9..=13 => self.model().await,
            14 => self.fault(),
            15 => self.reconnect().await,
            16 if self.random.below(4) == 0 => self.world.sessions.crash(self.world.id),
            16 if self.random.below(4) == 0 => self.world.log.rob(self.world.id),
            17 => tokio::time::sleep(Duration::from_millis(self.random.below(4_000))).await,
            _ => tokio::time::sleep(Duration::from_millis(self.random.below(60))).await,
        }
        self.read().await;
    }

    async fn say_on_socket(&mut self, id: &str) {
        let text = format!("text {id}");
        self.sent.insert(id.to_owned(), text.clone());
        let which = usize::try_from(self.random.below(2)).unwrap();
        self.readers[which].0.connection.handle(serde_say(id, &text, None)).await;
    }

    async fn interrupt(&mut self, id: &str) {
        let text = format!("text {id}");
        self.sent.insert(id.to_owned(), text.clone());
        self.command(CUSTOMER, id, Action::Say { text, overlap: Overlap::Interrupt }).await;
    }

    async fn staff(&mut self, id: &str) {
        let who = if self.random.below(3) == 0 { SUPERVISOR } else { AGENT };
        let control_version = self.state().control_version;
        let assignment = AssignmentId(Uuid::from_u128(5));
        let action = match self.random.below(5) {
            0 => Action::Claim { control_version, assignment },
            1 => Action::TakeOver { control_version, assignment },
            2 => Action::HandBack { control_version, to: ReturnTo::Assistant },
            3 => Action::HandBack { control_version, to: ReturnTo::Queue },
            _ => Action::Say { text: format!("answer {id}"), overlap: Overlap::Queue },
        };
        self.command(who, id, action).await;
    }

    async fn command(&mut self, who: u128, id: &str, action: Action) {
        // Half of the time the store is slow, and the model goes on meanwhile.
        let slow = self.random.below(2) == 0;
        if slow {
            self.world.log.hold();
        }
        let (world, asked, readers) = (&self.world, &self.asked, &mut self.readers);
        let meanwhile = async {
            if slow {
                tokio::time::sleep(Duration::from_millis(50)).await;
                asked.iter().for_each(|asked| asked.say("meanwhile "));
                tokio::time::sleep(Duration::from_millis(50)).await;
                for (customer, reader) in readers {
                    take_waiting(customer, reader).await;
                }
                world.log.resume();
            }
        };
        let (outcome, ()) = tokio::join!(world.request_as(who, id, action), meanwhile);
        if let Ok(ack) = outcome {
            self.outcomes.insert(id.to_owned(), ack.seq);
        }
    }

    async fn model(&mut self) {
        tokio::task::yield_now().await;
        while self.world.model.is_asked() {
            self.asked.push(self.world.model.asked().await);
        }
        let Some(asked) = self.asked.last() else { return };
        match self.random.below(12) {
            0 => asked.end(ModelEnd::Complete),
            1 => asked.end(ModelEnd::Failed(Failure::ReplyCut)),
            2 => asked.end(ModelEnd::AskForPerson { summary: None, priority: Priority::High }),
            _ => asked.say(&format!("wört{} ", self.random.below(1_000))),
        }
    }

    fn fault(&self) {
        let fault = match self.random.below(5) {
            0 => Fault::Unavailable,
            1 => Fault::UnknownDone,
            2 => Fault::UnknownLost,
            3 => Fault::Locked,
            _ => Fault::Poisoned,
        };
        self.world.log.fail([fault]);
        if self.random.below(6) == 0 {
            self.world.log.fail_claims(2);
        }
    }

    async fn reconnect(&mut self) {
        let which = usize::try_from(self.random.below(2)).unwrap();
        let cursor = self.readers[which].1.cursor();
        self.readers[which].0 = self.world.customer(cursor).await;
    }

    /// Reads what waits on each socket; a socket that was closed is opened again with its cursor.
    async fn read(&mut self) {
        for which in 0..self.readers.len() {
            let (customer, reader) = &mut self.readers[which];
            if take_waiting(customer, reader).await {
                let cursor = reader.cursor();
                self.readers[which].0 = self.world.customer(cursor).await;
            }
        }
    }

    fn state(&self) -> State {
        checks::state(self.world.id, &self.world.entries())
    }

    async fn finish(&mut self, seed: u64) {
        self.world.log.resume();
        // Every open question finds its end: the model says no more, so the deadline does.
        for _ in 0..600 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.read().await;
            if self.state().turn.is_none() {
                break;
            }
        }
        let (entries, state) = (self.world.entries(), self.state());
        checks::log_is_whole(seed, &entries, &state);
        // A fresh look at the whole conversation brings both readers to the same end.
        for which in 0..self.readers.len() {
            let cursor = self.readers[which].1.cursor();
            self.readers[which].0 = self.world.customer(cursor).await;
        }
        self.read().await;
        let readers: Vec<_> = self.readers.iter().map(|(_, reader)| reader).collect();
        checks::commands_are_kept(seed, &entries, &readers, (&self.sent, &self.outcomes));
        readers.iter().for_each(|reader| checks::reader_saw_the_log(seed, &entries, reader));
    }
}
