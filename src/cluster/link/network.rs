//! What links run over: the system's network, or one that is simulated.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A network of hosts and connections.
pub trait Network: Clone + Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A port on which connections are taken.
    type Listener: Send + Sync + 'static;

    /// Takes a port, and says where that is.
    fn listen(&self, at: SocketAddr) -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>> + Send;

    /// The next connection, and where it comes from. Cancel safe.
    fn accept(&self, on: &Self::Listener) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Connects to `host:port`. The name is resolved each time: a pod that comes back has another address.
    fn connect(&self, to: &str) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// The system's network. No small frame waits for the acknowledgement of the one before.
#[derive(Clone, Copy, Debug)]
pub struct Tcp;

impl Network for Tcp {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn listen(&self, at: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    async fn accept(&self, on: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, from) = on.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, from))
    }

    async fn connect(&self, to: &str) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
