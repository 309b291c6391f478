//! The measurements, one file each. All of them prepare first (tokens, conversations, sockets) and then read the server's
//! process before and after the thing that is measured.

pub(crate) mod ack;
pub(crate) mod churn;
mod commit;
mod crowd;
pub(crate) mod hall;
pub(crate) mod handshake;
pub(crate) mod history;
pub(crate) mod idle;
pub(crate) mod paused;
mod reply;
pub(crate) mod stream;

use std::time::Duration;

use anyhow::Result;

use crate::figures::Figures;
use crate::process::{CpuTime, Process, busy_share, machine_ticks};

/// The CPU clocks at one moment: of the server, of this client, of the machine.
pub(crate) struct Clocks {
    server: Option<CpuTime>,
    client: CpuTime,
    machine: (u64, u64),
}

impl Clocks {
    pub(crate) fn read(server: Option<&Process>) -> Result<Self> {
        Ok(Self {
            server: server.map(Process::cpu).transpose()?,
            client: Process::watch(std::process::id())?.cpu()?,
            machine: machine_ticks()?,
        })
    }

    /// Adds what was used since then, per one of `count` operations. Says how busy the machine was: above some 85 %, times
    /// are those of the queue for a processor.
    pub(crate) fn report(&self, since: &Self, (figures, operation): (&mut Figures, &str), count: usize) {
        let each_us = |ns: u64| ns as f64 / 1_000.0 / count.max(1) as f64;
        if let (Some(now), Some(then)) = (&self.server, &since.server) {
            figures.add(&format!("server_cpu_per_{operation}"), each_us(now.since(then)), "us");
        }
        figures.add(&format!("client_cpu_per_{operation}"), each_us(self.client.since(&since.client)), "us");
        figures.add("machine_busy", 100.0 * busy_share(since.machine, self.machine), "%");
    }
}

/// Times are shown in whole seconds to people who wait.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
