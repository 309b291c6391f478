//! A connection to Redis that is made again after any failure: to one server, or to whichever the sentinels name.
//!
//! Sentinels are asked at each new connection and at no other time, so a server that has become a replica must cost the
//! connection, too. A command that fails may have run: everything here may run twice.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, RedisError,
    RedisResult, TlsMode,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Port of a sentinel whose address names none.
const SENTINEL_PORT: u16 = 26_379;
/// Time to find the server and connect to it, in response time-outs: some of the sentinels may be gone.
const CONNECT_TIMEOUTS: u32 = 4;

/// Where Redis is. Not printable: the URL may hold a password.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://…`, `rediss://…`, or either with `+sentinel`.
    pub url: String,
    /// Name and password that the sentinels ask for.
    pub sentinel: (Option<String>, Option<String>),
    /// Longest wait for an answer, in milliseconds.
    pub response_timeout_ms: u64,
}

/// A connection that is made when it is needed.
pub struct Redis {
    server: Server,
    limit: Duration,
    connection: Mutex<Option<MultiplexedConnection>>,
}

enum Server {
    One(Box<Client>),
    Sentinels(Box<Sentinels>),
}

/// Sentinels, and the server that they are asked for.
struct Sentinels {
    addresses: Vec<ConnectionAddr>,
    service: String,
    tls: bool,
    /// Of the server: user, password and database.
    server: ConnectionInfo,
    credentials: (Option<String>, Option<String>),
}

impl Redis {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is none; the error does not quote it.
    pub fn new(settings: &RedisSettings) -> RedisResult<Self> {
        let server = match sentinels(settings)? {
            Some(sentinels) => Server::Sentinels(Box::new(sentinels)),
            None => Server::One(Box::new(Client::open(with_nodelay(settings.url.as_str().into_connection_info()?))?)),
        };
        let limit = Duration::from_millis(settings.response_timeout_ms);
        Ok(Self { server, limit, connection: Mutex::default() })
    }

    /// Asks something. After a failure the next one connects anew.
    ///
    /// # Errors
    /// When there is no answer in time, or it is an error.
    pub async fn ask<T>(&self, ask: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>) -> RedisResult<T> {
        let mut connection = self.connected().await?;
        let answer = ask(&mut connection).await;
        if answer.is_err() {
            *self.connection.lock().await = None;
        }
        answer
    }

    async fn connected(&self) -> RedisResult<MultiplexedConnection> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let too_slow = |_| RedisError::from((ErrorKind::Io, "no connection in time"));
        let connection = timeout(self.limit * CONNECT_TIMEOUTS, self.connect()).await.map_err(too_slow)??;
        *kept = Some(connection.clone());
        Ok(connection)
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limit))
            .set_response_timeout(Some(self.limit));
        match &self.server {
            Server::One(client) => client.get_multiplexed_async_connection_with_config(&config).await,
            Server::Sentinels(sentinels) => sentinels.client()?.get_async_connection_with_config(&config).await,
        }
    }
}

impl Sentinels {
    fn client(&self) -> RedisResult<SentinelClient> {
        let server = self.server.redis_settings();
        let nodelay = ::redis::io::tcp::TcpSettings::default().set_nodelay(true);
        let mut builder =
            SentinelClientBuilder::new(self.addresses.clone(), &self.service, SentinelServerType::Master)?
                .set_client_to_redis_db(server.db())
                .set_client_to_redis_tcp_settings(nodelay);
        if let Some(user) = server.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = server.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(user) = &self.credentials.0 {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = &self.credentials.1 {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if self.tls {
            builder =
                builder.set_client_to_redis_tls_mode(TlsMode::Secure).set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
        builder.build()
    }
}

fn with_nodelay(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info.tcp_settings().clone().set_nodelay(true);
    info.set_tcp_settings(settings)
}

/// Reads `redis+sentinel://user:password@host:port,host:port/service/number`.
fn sentinels(settings: &RedisSettings) -> RedisResult<Option<Sentinels>> {
    let (tls, rest) = if let Some(rest) = settings.url.strip_prefix("redis+sentinel://") {
        (false, rest)
    } else if let Some(rest) = settings.url.strip_prefix("rediss+sentinel://") {
        (true, rest)
    } else {
        return Ok(None);
    };
    let wrong = |what| RedisError::from((ErrorKind::InvalidClientConfig, what));
    let (authority, path) = rest.split_once('/').ok_or_else(|| wrong("no service is named"))?;
    let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (service, database) = path.split_once('/').unwrap_or((path, ""));
    let addresses = hosts.split(',').map(|host| address(host, tls).ok_or_else(|| wrong("a sentinel has no address")));
    // The server's address is what is asked for; its user, password and database are read as those of any other.
    let server = format!("redis://{credentials}{}sentinel/{database}", if credentials.is_empty() { "" } else { "@" });
    Ok(Some(Sentinels {
        addresses: addresses.collect::<RedisResult<_>>()?,
        service: service.to_owned(),
        tls,
        server: server.as_str().into_connection_info()?,
        credentials: settings.sentinel.clone(),
    }))
}

fn address(text: &str, tls: bool) -> Option<ConnectionAddr> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, SENTINEL_PORT),
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    if host.is_empty() {
        return None;
    }
    Some(if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    })
}
