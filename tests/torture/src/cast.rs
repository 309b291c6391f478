//! Who talks in a campaign: customers with their conversations, and agents who look after them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::agent::{Agent, Habits};
use crate::customer::Customer;
use crate::forsaken;
use crate::plan::Plan;
use crate::scene::{Guest, Scene};
use crate::stage::Stage;

/// Times that a visitor is tried to be let in.
const VISITS: usize = 5;

/// Somebody who talks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client {
    pub name: String,
    /// The one conversation of a customer.
    pub conversation: Option<Uuid>,
}

/// Everybody who talks.
#[derive(Default)]
pub(crate) struct Clients {
    tasks: JoinSet<Client>,
    at_work: BTreeSet<Client>,
}

impl Client {
    fn customer(what: &str, guest: &Guest) -> Self {
        let Guest { participant, conversation, .. } = guest;
        Self { name: format!("{what} {participant} of {conversation}"), conversation: Some(*conversation) }
    }
}

impl Clients {
    fn spawn(&mut self, client: Client, work: impl Future<Output = ()> + Send + 'static) {
        self.at_work.insert(client.clone());
        self.tasks.spawn(async move {
            work.await;
            client
        });
    }

    /// Waits for one who has what it wanted, no longer than this.
    pub(crate) async fn next(&mut self, patience: Duration) {
        if let Ok(Some(Ok(client))) = timeout(patience, self.tasks.join_next()).await {
            self.at_work.remove(&client);
        }
    }

    /// Whether everybody has.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Those who do not have what they want yet.
    pub(crate) fn at_work(&self) -> impl Iterator<Item = &Client> {
        self.at_work.iter()
    }
}

/// Customers with their conversations, and agents who look after them.
pub(crate) async fn cast(plan: &Plan, stage: &Stage, over: &watch::Sender<bool>, dice: &mut StdRng) -> Result<Clients> {
    let scene = Scene {
        history: stage.history.clone(),
        addresses: stage.addresses.subscribe(),
        over: over.subscribe(),
        patience: plan.patience(),
        began: Instant::now(),
        serves_queue: plan.nodes > 1,
    };
    let (mut clients, mut conversations) = (Clients::default(), Vec::new());
    for _ in 0..plan.customers {
        let guest = visitor(&scene, dice).await?;
        conversations.push(guest.conversation);
        let client = Client::customer("the customer", &guest);
        clients.spawn(client, Customer::new(scene.clone(), guest, StdRng::seed_from_u64(dice.random())).run());
    }
    for number in 0..plan.agents {
        let name = format!("Agent {number}");
        let habits = Habits { races: plan.nodes > 1, supervises: plan.nodes > 1 && number == 0 };
        let role = if habits.supervises { "supervisor" } else { "agent" };
        let work = (stage.staff_token(&name, role).await?, conversations.clone());
        let agent = Agent::new(scene.clone(), work, habits, StdRng::seed_from_u64(dice.random()));
        clients.spawn(Client { name, conversation: None }, agent.run());
    }
    if plan.forsakes() {
        let guest = visitor(&scene, dice).await?;
        let client = Client::customer("the forsaken customer", &guest);
        let work = (stage.staff_token("Agent who leaves", "agent").await?, Vec::new());
        let customer = Customer::new(scene.clone(), guest, StdRng::seed_from_u64(dice.random()));
        let agent = Agent::new(scene, work, Habits::default(), StdRng::seed_from_u64(dice.random()));
        clients.spawn(client, forsaken::run(customer, agent));
    }
    Ok(clients)
}

/// A new visitor. A machine under load may not answer in time, and says so: another one comes.
async fn visitor(scene: &Scene, dice: &mut StdRng) -> Result<Guest> {
    for _ in 1..VISITS {
        if let Ok(guest) = Guest::visit(scene.address(dice).context("no server")?).await {
            return Ok(guest);
        }
    }
    Guest::visit(scene.address(dice).context("no server")?).await
}
