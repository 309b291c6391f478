//! `onya chat`: a conversation in the terminal, over the same protocol as every other client.
//!
//! As a customer it holds one conversation, as an agent the queue and one conversation at a time. The rules of the
//! protocol are pure and tested on their own: `conversation` (what a frame changes), `outbox` (what has no outcome
//! yet), `thread` (both together). `connection` and `link` keep a socket open, `screen` prints, `customer` and `agent`
//! join them. When standard input is no terminal it reads lines, waits for each reply, and ends when both are over.
//!
//! It knows the protocol and nothing else of the server: no settings, no store.

mod agent;
mod connection;
mod conversation;
mod customer;
mod http;
mod identity;
mod input;
mod link;
mod outbox;
mod screen;
mod thread;
mod words;

use std::io::{self, IsTerminal as _, Stdout};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use onya_core::{ClientMsgId, ConversationId, Timestamp};
use uuid::Uuid;

use http::{Api, Unauthenticated};
use identity::Identities;
use screen::Screen;

/// What `onya chat` understands.
#[derive(Debug, Args)]
pub(super) struct ChatArgs {
    /// The server
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    url: String,
    /// Who you are
    #[arg(long = "as", value_name = "ROLE", default_value = "customer")]
    role: ChatRole,
    /// Token [default: an anonymous visitor's, kept for the next run]
    #[arg(long, env = "ONYA_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    token: Option<String>,
    /// File with the token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Conversation to go on with or to watch [default for customers: the open one, or a new one]
    #[arg(long, value_name = "ID")]
    conversation: Option<ConversationId>,
    /// Start over as a new visitor
    #[arg(long, conflicts_with_all = ["token", "token_file", "conversation"])]
    new: bool,
    /// No colours
    #[arg(long)]
    plain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ChatRole {
    Customer,
    /// An agent or a supervisor, as the token says
    Agent,
}

/// How the program talks to whoever runs it.
#[derive(Clone, Copy, Debug)]
struct Manner {
    /// Somebody types; otherwise it is a script.
    interactive: bool,
    colours: bool,
}

pub(super) fn run(args: &ChatArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(Box::pin(chat(args)));
    // A thread still waits for the next line of standard input; nobody will read it.
    runtime.shutdown_background();
    match outcome {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        outcome => outcome,
    }
}

/// Whoever read the output has gone away (`onya chat | head`): no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn chat(args: &ChatArgs) -> anyhow::Result<()> {
    let api = Api::new(&args.url)?;
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let colours = io::stdout().is_terminal() && !args.plain && std::env::var_os("NO_COLOR").is_none();
    let manner = Manner { interactive: terminal, colours };
    let screen = Screen::new(io::stdout(), manner);
    let given = given_token(args)?;
    match args.role {
        ChatRole::Agent => {
            let token = given.context("an agent needs --token or --token-file: `onya token --role agent` makes one")?;
            agent::Agent::new(api, token, args.conversation, (screen, manner)).run().await
        }
        ChatRole::Customer => {
            let (token, conversation) = customer_identity(args, &api, given).await?;
            customer::Customer::new(&api, token, conversation, (screen, manner)).run().await
        }
    }
}

fn given_token(args: &ChatArgs) -> anyhow::Result<Option<String>> {
    let token = match (&args.token, &args.token_file) {
        (Some(token), _) => token.clone(),
        (None, Some(file)) => {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
        }
        (None, None) => return Ok(None),
    };
    let token = token.trim();
    if token.is_empty() {
        bail!("the token is empty");
    }
    Ok(Some(token.to_owned()))
}

/// The token and the conversation; a visitor that the server no longer knows is replaced by a new one.
async fn customer_identity(
    args: &ChatArgs,
    api: &Api,
    given: Option<String>,
) -> anyhow::Result<(String, ConversationId)> {
    if let Some(token) = given {
        let conversation = match args.conversation {
            Some(conversation) => conversation,
            None => api.open_conversation(&token).await?,
        };
        return Ok((token, conversation));
    }
    let identities = Identities::of_this_user()?;
    if let Some(visitor) = identities.read(&args.url, now()).filter(|_| !args.new) {
        match api.open_conversation(&visitor.token).await {
            Ok(conversation) => return Ok((visitor.token, args.conversation.unwrap_or(conversation))),
            Err(error) if error.is::<Unauthenticated>() => {}
            Err(error) => return Err(error),
        }
    }
    let visitor = api.anonymous().await?;
    identities.write(&args.url, &visitor)?;
    let conversation = api.open_conversation(&visitor.token).await?;
    Ok((visitor.token, conversation))
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// A new name for a command.
fn new_id() -> anyhow::Result<ClientMsgId> {
    Ok(ClientMsgId::new(Uuid::now_v7().simple().to_string())?)
}

type Terminal = (Screen<Stdout>, Manner);
