//! Where sockets come in: the stand-in for the edge. A line is a frame.

use std::time::Duration;

use onya_actors::{CustomerConnection, SendQueue, Sessions, StaffConnection};
use onya_core::ParticipantId;
use onya_core::conversation::{Actor, Role};
use onya_protocol::{Cursor, CustomerFrame, Refusal, ServerFrame, StaffFrame};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::time::{Instant, interval, sleep_until};
use tokio_util::task::TaskTracker;
use turmoil::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use turmoil::net::{TcpListener, TcpStream};

/// How often a node asks for a sign of life.
const PING_EVERY: Duration = Duration::from_secs(2);
/// Nothing comes in for so long: then the other side is gone, or something was lost on its way, as nothing is sent twice here.
pub(crate) const SILENCE: Duration = Duration::from_secs(6);

/// The first line of a socket.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) who: ParticipantId,
    pub(crate) role: Role,
    pub(crate) cursor: Option<Cursor>,
}

/// A connection that carries lines.
pub(crate) struct Line {
    pub(crate) incoming: Lines<BufReader<OwnedReadHalf>>,
    outgoing: OwnedWriteHalf,
}

impl Line {
    pub(crate) fn over(stream: TcpStream) -> Self {
        let (incoming, outgoing) = stream.into_split();
        Self { incoming: BufReader::new(incoming).lines(), outgoing }
    }

    pub(crate) async fn write(&mut self, what: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        Ok(self.outgoing.write_all(&line).await?)
    }

    /// The next line; an error if there is none. Cancel safe.
    pub(crate) async fn read<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let line = self.incoming.next_line().await?.ok_or_else(|| anyhow::anyhow!("the other side has left"))?;
        Ok(serde_json::from_str(&line)?)
    }
}

/// Lets sockets in, for as long as it is polled.
pub(crate) async fn open(door: TcpListener, sessions: Sessions) {
    let sockets = TaskTracker::new();
    while let Ok((stream, _)) = door.accept().await {
        let sessions = sessions.clone();
        sockets.spawn(async move {
            // A socket ends when the other side does.
            let _ = serve(Line::over(stream), sessions).await;
        });
    }
}

async fn serve(mut line: Line, sessions: Sessions) -> anyhow::Result<()> {
    let hello: Hello = line.read().await?;
    let who = Actor { id: hello.who, role: hello.role, name: None };
    let connection = match hello.role {
        Role::Customer => customer(&sessions, who, hello.cursor).await,
        Role::Agent | Role::Supervisor => sessions.connect_staff(who).await.map(Socket::Staff),
    };
    match connection {
        Ok(connection) => connection.pump(line).await,
        Err(refusal) => line.write(&ServerFrame::Refused(refusal)).await,
    }
}

async fn customer(sessions: &Sessions, who: Actor, cursor: Option<Cursor>) -> Result<Socket, Refusal> {
    let conversation = sessions.open(who.id, "en").await?.id();
    sessions.connect_customer(who, conversation, cursor).await.map(Socket::Customer)
}

/// A socket that was let in.
enum Socket {
    Customer(CustomerConnection),
    Staff(StaffConnection),
}

impl Socket {
    fn queue(&self) -> &SendQueue {
        match self {
            Self::Customer(connection) => connection.queue(),
            Self::Staff(connection) => connection.queue(),
        }
    }

    fn ping(&self) {
        match self {
            Self::Customer(connection) => connection.ping(),
            Self::Staff(connection) => connection.ping(),
        }
    }

    async fn handle(&self, line: &str) -> anyhow::Result<()> {
        match self {
            Self::Customer(connection) => connection.handle(serde_json::from_str::<CustomerFrame>(line)?).await,
            Self::Staff(connection) => connection.handle(serde_json::from_str::<StaffFrame>(line)?).await,
        }
        Ok(())
    }

    async fn pump(self, mut line: Line) -> anyhow::Result<()> {
        let (mut pings, mut heard) = (interval(PING_EVERY), Instant::now());
        loop {
            tokio::select! {
                biased;
                (frames, closing) = self.queue().next() => {
                    for frame in frames {
                        line.write(&frame).await?;
                    }
                    if closing.is_some() {
                        return Ok(());
                    }
                }
                _ = pings.tick() => self.ping(),
                () = sleep_until(heard + SILENCE) => return Ok(()),
                came = line.incoming.next_line() => {
                    heard = Instant::now();
                    let Some(came) = came? else { return Ok(()) };
                    self.handle(&came).await?;
                }
            }
        }
    }
}
