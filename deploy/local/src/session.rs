//! The time between the start and the end: looks, commands, and what is shown of both.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result};
use crossterm::event::{Event, EventStream};
use futures::{StreamExt as _, stream};
use ratatui::DefaultTerminal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::cluster::Cluster;
use crate::command::Command;
use crate::model::Model;
use crate::say;
use crate::screen::Screen;
use crate::table;
use crate::traffic::Traffic;
use crate::watch::Watch;

const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// What goes on while the cluster runs.
pub(crate) struct Session {
    model: Model,
    watch: Watch,
    traffic: Traffic,
    start: Instant,
}

/// Where browsers go, and how to sign in.
pub(crate) async fn greeting(cluster: &Cluster) -> Result<String> {
    let (proxy, token, folder) = (cluster.proxy(), cluster.staff_token().await?, cluster.folder().join("desk-token"));
    std::fs::write(&folder, format!("{token}\n"))?;
    Ok(format!(
        "A customer's chat: http://{proxy}/\nThe desk:          http://{proxy}/desk\nPaste this token there, it is also in {}:\n\n{token}\n",
        folder.display()
    ))
}

impl Session {
    pub(crate) async fn new(cluster: &Cluster, customers: usize) -> Result<Self> {
        let (watch, traffic) = (Watch::new(cluster).await?, Traffic::new(cluster.proxy(), customers)?);
        Ok(Self { model: Model::default(), watch, traffic, start: Instant::now() })
    }

    pub(crate) fn toggle_traffic(&mut self) -> String {
        self.traffic.toggle()
    }

    /// Without a terminal: events as they happen, the table each second, commands from standard input.
    pub(crate) async fn print(&mut self, cluster: &mut Cluster, seconds: u64) -> Result<()> {
        let lines = BufReader::new(tokio::io::stdin()).lines();
        let commands = stream::unfold(lines, async |mut lines| Some((lines.next_line().await.ok()??, lines)));
        // Whoever gives no commands, or no more of them, may still want to see.
        let mut commands = pin!(commands.chain(stream::pending()));
        let (mut looks, end) = (looks(), self.start + Duration::from_secs(seconds));
        let mut number = 0_u64;
        loop {
            tokio::select! {
                _ = looks.tick() => {
                    self.look(cluster).await?.iter().for_each(|event| say(event));
                    if number.is_multiple_of(2) {
                        table::lines(&self.model.rows()).iter().for_each(|line| say(line));
                        say(&table::summary(&self.model.totals()));
                    }
                    number += 1;
                }
                Some(line) = commands.next() => match Command::read(&line) {
                    Ok(Command::Quit) => return Ok(()),
                    Ok(command) => say(&self.carry_out(cluster, &command)),
                    Err(error) => say(&self.stamped(&format!("{error:#}"))),
                },
                () = sleep_until(end) => return Ok(()),
            }
        }
    }

    /// In the terminal, until somebody quits. Whoever called this gives the terminal back.
    pub(crate) async fn draw(&mut self, cluster: &mut Cluster, greeting: String) -> Result<()> {
        say("Enter: watch the cluster");
        BufReader::new(tokio::io::stdin()).lines().next_line().await?;
        let mut terminal = ratatui::try_init()?;
        terminal.clear()?;
        self.draw_on(cluster, greeting, &mut terminal).await
    }

    async fn draw_on(&mut self, cluster: &mut Cluster, greeting: String, terminal: &mut DefaultTerminal) -> Result<()> {
        let mut screen = Screen::new(greeting);
        let (mut looks, mut events) = (looks(), EventStream::new());
        loop {
            terminal.draw(|frame| screen.draw(frame, &self.model))?;
            tokio::select! {
                _ = looks.tick() => self.look(cluster).await?.into_iter().for_each(|event| screen.tell(event)),
                event = events.next() => {
                    // A terminal that was resized is drawn anew like any other.
                    let Event::Key(key) = event.context("the terminal is gone")?? else { continue };
                    let names: Vec<String> = cluster.nodes.iter().map(|node| node.name.clone()).collect();
                    match screen.keys.press(key, &names) {
                        Some(Command::Quit) => return Ok(()),
                        Some(command) => screen.tell(self.carry_out(cluster, &command)),
                        None => {}
                    }
                }
            }
        }
    }

    /// Looks once, and has the proxy pass on to whoever is ready; what has happened.
    async fn look(&mut self, cluster: &mut Cluster) -> Result<Vec<String>> {
        let events = self.model.observe(self.watch.look(cluster).await?);
        let rows = self.model.rows();
        let live: Vec<&str> = rows.iter().filter(|row| row.standing == "live").map(|row| row.name.as_str()).collect();
        cluster.pass_on_to(&live)?;
        Ok(events.iter().map(|event| self.stamped(event)).collect())
    }

    /// What came of a command.
    fn carry_out(&mut self, cluster: &mut Cluster, command: &Command) -> String {
        let said = match command {
            Command::Traffic => self.traffic.toggle(),
            command => cluster.carry_out(command).unwrap_or_else(|error| format!("{command}: {error:#}")),
        };
        self.stamped(&said)
    }

    fn stamped(&self, event: &str) -> String {
        format!("{:6.1} s  {event}", self.start.elapsed().as_secs_f64())
    }
}

fn looks() -> tokio::time::Interval {
    let mut looks = interval(BETWEEN_LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}
