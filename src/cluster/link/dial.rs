//! Opens links to other nodes. When to try again is the caller's business.

use std::sync::Arc;

use futures::future::BoxFuture;
use onya_actors::OwnerLink;
use onya_actors::ports::{LinkEnd, LinkLost, Transport};
use onya_core::cluster::Member;
use onya_protocol::peer::LINK_VERSIONS;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_util::sync::CancellationToken;

use super::carry::carry;
use super::credentials::{Credentials, Nonce, Purpose};
use super::network::{Network, Tcp};
use super::presence::{Direction, Presence};
use super::pulse::Watched;
use super::{LinkTimes, Socket, handshake, socket_config};
use crate::telemetry::names::LINK_LOSSES_TOTAL;

/// The links that this node opens. Cheap to clone.
#[derive(Clone)]
pub struct Dialer<N = Tcp> {
    network: N,
    credentials: Arc<dyn Credentials>,
    times: LinkTimes,
    versions: &'static [u16],
}

impl<N: Network> Transport for Dialer<N> {
    fn dial(&self, to: Member, end: Arc<OwnerLink>) -> BoxFuture<'static, LinkLost> {
        let dialer = self.clone();
        Box::pin(async move { dialer.carry(&to, &*end, OwnerLink::opened).await })
    }
}

impl Dialer {
    /// Opens links with these credentials.
    #[must_use]
    pub fn new(credentials: Arc<dyn Credentials>, times: LinkTimes) -> Self {
        Self::over(Tcp, credentials, times)
    }
}

impl<N: Network> Dialer<N> {
    /// The same over another network than the system's.
    #[must_use]
    pub fn over(network: N, credentials: Arc<dyn Credentials>, times: LinkTimes) -> Self {
        Self { network, credentials, times, versions: LINK_VERSIONS }
    }

    /// The same for releases that speak other versions.
    #[cfg(test)]
    pub(super) fn speaking(self, versions: &'static [u16]) -> Self {
        Self { versions, ..self }
    }

    /// Opens a link and carries frames until it is lost. `opened` is called once the member has proven who it is, with the
    /// version that was agreed on.
    pub async fn carry<E>(&self, to: &Member, end: &E, opened: impl FnOnce(&E, u16)) -> LinkLost
    where
        E: LinkEnd<Sent: Serialize, Received: DeserializeOwned>,
    {
        let (socket, version) = match Box::pin(self.open(to)).await {
            Ok(open) => open,
            Err(lost) => return not_opened(to, lost),
        };
        let presence = Presence::opened(Direction::Dialed, to.incarnation, version);
        opened(end, version);
        let ending = carry(socket, end, &self.times, &CancellationToken::new()).await;
        let lost = LinkLost::from(&ending);
        presence.ended(ending);
        lost
    }

    async fn open(&self, to: &Member) -> Result<(Socket<N::Stream>, u16), LinkLost> {
        let unreachable = |why: &str| LinkLost::Unreachable(why.to_owned());
        let nonce = Nonce::draw().ok_or_else(|| unreachable("the system gives no random bytes"))?;
        let proof = self.credentials.prove(Purpose::Dial, to.incarnation, &nonce.to_string());
        let proof = proof.map_err(|error| LinkLost::Unreachable(error.to_string()))?;
        let request = handshake::request(&to.address, &proof, self.versions).map_err(|error| failed(&error))?;
        let stream = timeout(self.times.connect, self.network.connect(&to.address)).await;
        let stream = stream.map_err(|_| unreachable("no connection in time"))?;
        let stream = stream.map_err(|error| LinkLost::Unreachable(error.to_string()))?;
        let shaken = client_async_with_config(request, Watched::new(stream), Some(socket_config()));
        let shaken = timeout(self.times.handshake, shaken).await.map_err(|_| unreachable("no answer in time"))?;
        let (socket, response) = shaken.map_err(|error| failed(&error))?;
        let version = handshake::answered(&response, &*self.credentials, (to.incarnation, nonce));
        Ok((socket, version.map_err(|error| LinkLost::Refused(error.to_string()))?))
    }
}

/// What a handshake that failed says about the member.
fn failed(error: &Error) -> LinkLost {
    match error {
        Error::Http(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
            LinkLost::Unreachable("it has no place for another link".to_owned())
        }
        Error::Http(response) => LinkLost::Refused(match response.status() {
            StatusCode::UNAUTHORIZED => {
                "it does not accept the proof: another process has this address, the keys differ, or the clocks do"
                    .to_owned()
            }
            StatusCode::BAD_REQUEST => "it speaks no version of links that this release speaks".to_owned(),
            status => format!("it answers {status}"),
        }),
        Error::Protocol(error) if !matches!(error, ProtocolError::HandshakeIncomplete) => {
            LinkLost::Refused(format!("it is no node: {error}"))
        }
        error => LinkLost::Unreachable(error.to_string()),
    }
}

fn not_opened(to: &Member, lost: LinkLost) -> LinkLost {
    let reason = if matches!(lost, LinkLost::Refused(_)) { "refused" } else { "unreachable" };
    let direction = Direction::Dialed.as_str();
    metrics::counter!(LINK_LOSSES_TOTAL, "direction" => direction, "reason" => reason).increment(1);
    tracing::info!(peer = %to.incarnation, node = to.name, reason = %lost, "a link cannot be opened");
    lost
}
