//! The links to other nodes: the port that is bound first, and the keys that tokens are signed with as what nodes prove
//! themselves with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use onya_actors::ports::Transport;
use onya_actors::{EdgeLink, Sessions};
use onya_core::Incarnation;
use tokio_util::sync::CancellationToken;

use crate::auth::{KeySet, LinkProofs, LinkPurpose};
use crate::cluster::link::{
    Acceptor, CredentialError, Credentials, Dialer, LinkSettings, LinkTimes, MAX_MESSAGE_BYTES, Proven, Purpose,
};
use crate::config::{Config, LINK_MESSAGE_BYTES};

/// The configuration is checked against it.
const _: () = assert!(LINK_MESSAGE_BYTES == MAX_MESSAGE_BYTES);

/// What other nodes can reach this one by, and it them. Nobody is served yet.
pub(super) struct Links {
    acceptor: Acceptor,
    dialer: Dialer,
}

impl Links {
    /// Takes the port, if there is a cluster.
    pub(super) async fn bind(config: &Config, keys: &KeySet, me: Incarnation) -> anyhow::Result<Option<Self>> {
        if !config.is_clustered() {
            return Ok(None);
        }
        let credentials: Arc<dyn Credentials> = Arc::new(LinkProofs::new(keys, &config.auth, me));
        let listen: SocketAddr = (config.cluster.host, config.cluster.port).into();
        let acceptor = Acceptor::bind(LinkSettings::at(listen), Arc::clone(&credentials)).await;
        let acceptor = acceptor.with_context(|| format!("cannot listen on {listen} (cluster.port)"))?;
        Ok(Some(Self { acceptor, dialer: Dialer::new(credentials, LinkTimes::default()) }))
    }

    /// Where this node listens for links.
    pub(super) fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// The way to other nodes.
    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.dialer.clone())
    }

    /// Takes links from other nodes until told to stop.
    pub(super) async fn serve(self, sessions: Sessions, stop: CancellationToken) {
        let accept = move |edge| sessions.accept_edge(edge);
        self.acceptor.serve(accept, EdgeLink::lost, stop).await;
    }
}

impl Credentials for LinkProofs {
    fn prove(&self, purpose: Purpose, to: Incarnation, nonce: &str) -> Result<String, CredentialError> {
        self.make(named(purpose), to, nonce).map_err(|error| CredentialError(error.to_string()))
    }

    fn check(&self, purpose: Purpose, proof: &str) -> Result<Proven, CredentialError> {
        let proof = self.check(named(purpose), proof).map_err(|error| CredentialError(error.to_string()))?;
        Ok(Proven { from: proof.from, nonce: proof.nonce })
    }

    fn longest_life(&self) -> Duration {
        Duration::from_secs(self.longest_life_s())
    }
}

const fn named(purpose: Purpose) -> LinkPurpose {
    match purpose {
        Purpose::Dial => LinkPurpose::LinkDial,
        Purpose::Answer => LinkPurpose::LinkAnswer,
    }
}
