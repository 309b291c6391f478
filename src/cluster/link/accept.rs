//! Takes links from other nodes.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::counter;
use onya_actors::ports::LinkEnd;
use onya_core::Incarnation;
use onya_protocol::peer::LINK_VERSIONS;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Deciding, Guest};
use super::carry::carry;
use super::credentials::Credentials;
use super::ending::Ending;
use super::network::{Network, Tcp};
use super::nonces::Nonces;
use super::places::{Place, Places};
use super::presence::{Direction, Presence};
use super::pulse::Watched;
use super::{LinkSettings, Socket, socket_config};
use crate::telemetry::names::LINK_REFUSALS_TOTAL;

/// How long to wait when the process has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The port on which this node takes links; nobody is served on it yet.
pub struct Acceptor<N: Network = Tcp> {
    network: N,
    listener: N::Listener,
    address: SocketAddr,
    admission: Admission,
    settings: LinkSettings,
}

/// What is done with a link: who its end is, and what becomes of that when the link is lost.
struct Ends<A, E> {
    accept: A,
    lost: fn(&E),
}

/// What the tasks of an acceptor share.
struct Serving<A, E> {
    admission: Admission,
    settings: LinkSettings,
    ends: Ends<A, E>,
    stop: CancellationToken,
}

impl Acceptor {
    /// Takes the port.
    ///
    /// # Errors
    /// When it is taken already, or the address is not of this machine.
    pub async fn bind(settings: LinkSettings, credentials: Arc<dyn Credentials>) -> io::Result<Self> {
        Self::bind_on(Tcp, settings, credentials).await
    }
}

impl<N: Network> Acceptor<N> {
    /// The same on another network than the system's.
    ///
    /// # Errors
    /// As that network has them.
    pub async fn bind_on(network: N, settings: LinkSettings, credentials: Arc<dyn Credentials>) -> io::Result<Self> {
        let (listener, address) = network.listen(settings.listen).await?;
        let admission = Admission {
            nonces: Mutex::new(Nonces::new(credentials.longest_life())),
            credentials,
            places: Places::new(settings.max_links),
            versions: LINK_VERSIONS,
        };
        Ok(Self { network, listener, address, admission, settings })
    }

    /// The same for a release that speaks other versions.
    #[cfg(test)]
    pub(super) fn speaking(mut self, versions: &'static [u16]) -> Self {
        self.admission.versions = versions;
        self
    }

    /// Where it listens, with the port that was really taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes links until told to stop; then what waits on each is written, and all have ended afterwards.
    ///
    /// `accept` is asked for this side's end once a node has proven who it is, and `lost` is called for each such end when
    /// its link is no more, whatever happened. A process has one end at a time: `lost` of the one before comes first.
    pub async fn serve<E, A>(self, accept: A, lost: fn(&E), stop: CancellationToken)
    where
        A: Fn(Incarnation) -> Arc<E> + Send + Sync + 'static,
        E: LinkEnd<Sent: Serialize, Received: DeserializeOwned>,
    {
        let Self { network, listener, admission, settings, .. } = self;
        let handshakes = Arc::new(Semaphore::new(settings.max_handshakes));
        let serving = Arc::new(Serving { admission, settings, ends: Ends { accept, lost }, stop });
        let links = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = serving.stop.cancelled() => break,
                accepted = network.accept(&listener) => accepted,
            };
            match (accepted, Arc::clone(&handshakes).try_acquire_owned()) {
                (Ok(connection), Ok(permit)) => {
                    let serving = Arc::clone(&serving);
                    links.spawn(async move { serving.connection(connection, permit).await });
                }
                // Whoever it was is not kept waiting; a node dials again.
                (Ok((stream, from)), Err(_)) => {
                    drop(stream);
                    unopened(from, "handshakes", &"too many connections that have not proven who they are");
                }
                (Err(error), _) => accept_failed(&error).await,
            }
        }
        drop(listener);
        links.close();
        links.wait().await;
    }
}

impl<A, E> Serving<A, E>
where
    A: Fn(Incarnation) -> Arc<E> + Send + Sync,
    E: LinkEnd<Sent: Serialize, Received: DeserializeOwned>,
{
    async fn connection<S>(&self, (stream, from): (S, SocketAddr), permit: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let opened = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            opened = Box::pin(self.open(stream, from)) => opened,
        };
        drop(permit);
        let Some((socket, guest)) = opened else { return };
        if let Some(place) = self.admission.places.take(guest.incarnation).await {
            self.link(socket, guest, &place).await;
        }
    }

    async fn open<S>(&self, stream: S, from: SocketAddr) -> Option<(Socket<S>, Guest)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut decision = None;
        let deciding = Deciding { admission: &self.admission, decision: &mut decision };
        let shaking = accept_hdr_async_with_config(Watched::new(stream), deciding, Some(socket_config()));
        let shaken = timeout(self.settings.times.handshake, shaking).await;
        match (shaken, decision) {
            (Ok(Ok(socket)), Some(Ok(guest))) => return Some((socket, guest)),
            (_, Some(Err(denied))) => {
                counter!(LINK_REFUSALS_TOTAL, "reason" => denied.reason()).increment(1);
                tracing::warn!(%from, reason = %denied, "a link is refused");
            }
            (Err(_), _) => unopened(from, "slow", &"no request in time"),
            // A look whether the port is open, a client that left, or one that speaks something else.
            (Ok(Err(error)), _) => unopened(from, "malformed", &error),
            (Ok(Ok(_)), None) => {}
        }
        None
    }

    async fn link<S>(&self, socket: Socket<S>, guest: Guest, place: &Place)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let end = Lost { end: (self.ends.accept)(guest.incarnation), lost: self.ends.lost };
        let presence = Presence::opened(Direction::Accepted, guest.incarnation, guest.version);
        let ending = tokio::select! {
            biased;
            () = place.wanted() => Ending::Replaced,
            ending = carry(socket, &*end.end, &self.settings.times, &self.stop) => ending,
        };
        presence.ended(ending);
    }
}

/// The end of a link, which is told when the link is no more.
struct Lost<E> {
    end: Arc<E>,
    lost: fn(&E),
}

impl<E> Drop for Lost<E> {
    fn drop(&mut self) {
        (self.lost)(&self.end);
    }
}

/// A connection on which nobody asked for a link.
fn unopened(from: SocketAddr, reason: &'static str, why: &dyn fmt::Display) {
    counter!(LINK_REFUSALS_TOTAL, "reason" => reason).increment(1);
    tracing::debug!(%from, reason, %why, "a connection did not become a link");
}

/// A client that left before it was accepted is none of our business; everything else is a shortage, and passes.
async fn accept_failed(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "no link can be taken");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
