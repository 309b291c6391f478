//! Links over the simulated network, and who believes whom on it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use onya::cluster::link::{CredentialError, Credentials, Network, Proven, Purpose};
use onya_core::Incarnation;
use turmoil::net::{TcpListener, TcpStream};

/// The simulated network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Simulated;

impl Network for Simulated {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn listen(&self, at: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    async fn accept(&self, on: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        on.accept().await
    }

    async fn connect(&self, to: &str) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }
}

/// What a node proves itself with: it says who it is and whom it means. Only the second can be false, where another process has
/// the address by now.
pub(crate) struct Trusting(pub(crate) Incarnation);

impl Credentials for Trusting {
    fn prove(&self, _: Purpose, to: Incarnation, nonce: &str) -> Result<String, CredentialError> {
        Ok(format!("{}/{to}/{nonce}", self.0))
    }

    fn check(&self, _: Purpose, proof: &str) -> Result<Proven, CredentialError> {
        let wrong = || CredentialError("not for this process".to_owned());
        let mut parts = proof.splitn(3, '/');
        let (from, to, nonce) = (parts.next(), parts.next(), parts.next());
        if to != Some(&self.0.to_string()) {
            return Err(wrong());
        }
        let from = from.and_then(|from| from.parse().ok()).ok_or_else(wrong)?;
        Ok(Proven { from, nonce: nonce.unwrap_or_default().into() })
    }

    fn longest_life(&self) -> Duration {
        Duration::from_secs(90)
    }
}
