//! Links that are open and say nothing, with both ends in this process.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use onya::cluster::link::{Acceptor, Dialer, LinkSettings, LinkTimes};
use onya_actors::ports::LinkEnd;
use onya_core::Incarnation;
use onya_core::cluster::Member;
use onya_protocol::peer::{ToEdge, ToOwner};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::measure::resident;
use crate::pods;
use crate::trusting::Trusting;

/// Links that come and go before memory is read, so that what is allocated once is not counted.
const BEFORE: u32 = 4;
/// Until both sides have pinged at least once.
const UNTIL_PINGED: Duration = Duration::from_secs(3);

/// An end that has nothing to say.
struct Silent<S, R>(PhantomData<fn(S, R)>);

impl<S: Send + 'static, R: Send + 'static> LinkEnd for Silent<S, R> {
    type Sent = S;
    type Received = R;

    async fn next(&self) -> Option<VecDeque<S>> {
        std::future::pending().await
    }

    fn received(&self, _: R) {}
}

/// Bytes that so many links take.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn hold(count: u32) -> Result<u64> {
    let me = Incarnation(Uuid::now_v7());
    let acceptor = Acceptor::bind(LinkSettings::at("127.0.0.1:0".parse()?), Arc::new(Trusting(me))).await?;
    let to = Member { incarnation: me, address: acceptor.address().to_string(), ..pods::pod(0) };
    let (opened, mut tasks) = (Arc::new(Semaphore::new(0)), JoinSet::new());
    let taken = Arc::clone(&opened);
    let accept = move |_| {
        taken.add_permits(1);
        Arc::new(Silent::<ToEdge, ToOwner>(PhantomData))
    };
    tasks.spawn(acceptor.serve(accept, |_| {}, CancellationToken::new()));
    open(BEFORE, &to, (&opened, &mut tasks)).await?;
    let before = resident()?;
    open(count, &to, (&opened, &mut tasks)).await?;
    tokio::time::sleep(UNTIL_PINGED).await;
    Ok(resident()?.saturating_sub(before))
}

/// Opens links one after the other; each is closed when the tasks are dropped.
async fn open(count: u32, to: &Member, (opened, tasks): (&Arc<Semaphore>, &mut JoinSet<()>)) -> Result<()> {
    for _ in 0..count {
        let (to, opened_here) = (to.clone(), Arc::clone(opened));
        tasks.spawn(async move {
            let dialer = Dialer::new(Arc::new(Trusting(Incarnation(Uuid::now_v7()))), LinkTimes::default());
            let end = Silent::<ToOwner, ToEdge>(PhantomData);
            dialer.carry(&to, &end, |_, _| opened_here.add_permits(1)).await;
        });
        let both = timeout(Duration::from_secs(10), opened.acquire_many(2)).await;
        both.context("the link does not open")??.forget();
    }
    Ok(())
}
