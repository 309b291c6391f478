//! A scripted model server: OpenAI's chat completions, always the same reply, at an exact pace.
//!
//! It serves thousands of streams from a few threads: the reply is rendered once, each stream is a timer and a position.
//! The first token carries when the request arrived and when the token left, on the clock that all processes of a machine
//! share; whoever reads the reply can subtract both. Next: [`script`] for the text, [`reply`] for the stream.

mod reply;
pub(crate) mod script;

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use self::reply::Reply;
use self::script::Script;
use crate::clock::monotonic_ns;
use crate::output;

/// The model server that is asked during a measurement.
#[derive(Args, Clone, Debug)]
pub(crate) struct UpstreamArgs {
    /// TCP port on 127.0.0.1; 0 takes any free one and prints it
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[command(flatten)]
    script: ScriptArgs,
}

/// What the model server says, and how fast.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ScriptArgs {
    /// Tokens of a reply
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub tokens: u32,
    /// Tokens per second of one reply
    #[arg(long, default_value_t = 20.0, value_parser = pace)]
    pub tokens_per_second: f64,
    /// Time from the request to the first token, in ms
    #[arg(long, default_value_t = 50)]
    pub first_token_ms: u64,
}

/// A pace that a stream can keep.
fn pace(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(pace) if (0.1..=10_000.0).contains(&pace) => Ok(pace),
        _ => Err("a number from 0.1 to 10000".to_owned()),
    }
}

/// Serves until the process is ended.
pub(crate) async fn run(args: UpstreamArgs) -> Result<()> {
    let listener = crate::listen(args.port).await?;
    output::line(&format!("upstream: http://{}/v1", listener.local_addr()?))?;
    let script = Arc::new(Script::new(args.script));
    let streams = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await?;
        streams.spawn(serve(stream, Arc::clone(&script)));
    }
}

async fn serve(stream: TcpStream, script: Arc<Script>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, Arc::clone(&script)));
    // A server that hangs up in the middle of a reply is its own business: its client sees it.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, script: Arc<Script>) -> Result<Response<Reply>, Infallible> {
    let received_ns = monotonic_ns();
    let mut body = request.into_body();
    // What is asked does not matter, but it must be read for the connection to be used again.
    while std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context)).await.is_some() {}
    let mut response = Response::new(Reply::new(script, received_ns));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}
