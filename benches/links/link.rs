//! A link between two nodes, whose ends count what they hear.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use onya::cluster::link::{Acceptor, Dialer, LinkSettings, LinkTimes};
use onya_actors::ports::LinkEnd;
use onya_core::Incarnation;
use onya_core::cluster::{Member, MemberRole, Standing};
use onya_protocol::peer::{ToEdge, ToOwner};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::measure::{Heard, Round, cpu, per_frame};
use crate::trusting::Trusting;

struct End<S, R> {
    waiting: Mutex<VecDeque<S>>,
    to_write: Notify,
    heard: Arc<Heard>,
    hears: PhantomData<fn(R)>,
}

impl<S, R> End<S, R> {
    fn new(heard: &Arc<Heard>) -> Arc<Self> {
        let heard = Arc::clone(heard);
        Arc::new(Self { waiting: Mutex::default(), to_write: Notify::new(), heard, hears: PhantomData })
    }

    /// Sends a round of frames; µs a frame.
    async fn send(&self, round: Round, frame: fn(usize) -> S) -> Result<f64> {
        let since = cpu()?;
        let mut sent = 0;
        while sent < round.frames {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend((sent..sent + round.batch).map(frame));
            self.to_write.notify_one();
            sent += round.batch;
            self.heard.turn().await;
            // Who sends without waiting must leave the link a moment.
            tokio::task::consume_budget().await;
        }
        self.heard.all().await;
        per_frame(since, round)
    }
}

impl<S: Send + 'static, R: Send + 'static> LinkEnd for End<S, R> {
    type Sent = S;
    type Received = R;

    async fn next(&self) -> Option<VecDeque<S>> {
        loop {
            let frames = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            if !frames.is_empty() {
                return Some(frames);
            }
            self.to_write.notified().await;
        }
    }

    fn received(&self, _: R) {
        self.heard.add(1);
    }
}

pub(crate) async fn to_edge(round: Round, frame: fn(usize) -> ToEdge) -> Result<f64> {
    let heard = Arc::new(Heard::new(round));
    let (edge, owner) = (End::<ToOwner, ToEdge>::new(&heard), End::<ToEdge, ToOwner>::new(&heard));
    let _link = open(edge, Arc::clone(&owner)).await?;
    owner.send(round, frame).await
}

pub(crate) async fn to_owner(round: Round, frame: fn(usize) -> ToOwner) -> Result<f64> {
    let heard = Arc::new(Heard::new(round));
    let (edge, owner) = (End::<ToOwner, ToEdge>::new(&heard), End::<ToEdge, ToOwner>::new(&heard));
    let _link = open(Arc::clone(&edge), owner).await?;
    edge.send(round, frame).await
}

/// Opens a link; it is closed when the tasks are dropped.
async fn open(edge: Arc<End<ToOwner, ToEdge>>, owner: Arc<End<ToEdge, ToOwner>>) -> Result<JoinSet<()>> {
    let (me, other) = (Incarnation(Uuid::now_v7()), Incarnation(Uuid::now_v7()));
    let settings = LinkSettings::at("127.0.0.1:0".parse()?);
    let acceptor = Acceptor::bind(settings, Arc::new(Trusting(me))).await?;
    let member = Member {
        incarnation: me,
        name: "owner".to_owned(),
        address: acceptor.address().to_string(),
        role: MemberRole::Both,
        standing: Standing::Live,
        release: String::new(),
    };
    let (opened, taken) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell_opened, tell_taken) = (Arc::clone(&opened), Arc::clone(&taken));
    let mut tasks = JoinSet::new();
    let accept = move |_| {
        tell_taken.notify_one();
        Arc::clone(&owner)
    };
    tasks.spawn(acceptor.serve(accept, |_| {}, CancellationToken::new()));
    tasks.spawn(async move {
        let dialer = Dialer::new(Arc::new(Trusting(other)), LinkTimes::default());
        dialer.carry(&member, &*edge, |_, _| tell_opened.notify_one()).await;
    });
    let both = async { tokio::join!(opened.notified(), taken.notified()) };
    tokio::time::timeout(Duration::from_secs(10), both).await.context("the link does not open")?;
    Ok(tasks)
}
