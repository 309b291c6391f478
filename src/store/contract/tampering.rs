//! A thousand changes behind the store's back, each at or before the last anchor: every one of them must be found.
//!
//! The changes are drawn from a seed. Each is made in a transaction of its own that is undone afterwards. What the
//! database refuses (a key that is taken, for example) is no change and does not count.

mod draws;

pub(in crate::store) use draws::Dialect;

use onya_actors::ports::Act;
use onya_core::Timestamp;

use self::draws::{Data, Draws};
use super::anchored::Notary;
use super::fixture::Node;
use super::{Backend, Workbench};
use crate::store::audit::Anchors;
use crate::store::audit::verify::verify;

/// Changes that must be made, and found.
const CHANGES: usize = 1_000;
const SEED: u64 = 20;

/// Some conversations and acts, and three anchors of which the last covers all of them.
async fn fill(backend: &impl Backend, notary: &Notary) {
    let (one, two) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let mut talks = vec![one.talk().await, one.talk().await, two.talk().await];
    for round in 0..3 {
        for (number, talk) in talks.iter_mut().enumerate() {
            talk.chatter(round + number % 2).await;
        }
        for (node, count) in [(&one, 2), (&two, 1 + round)] {
            let act = |n: usize| Act {
                at: Timestamp(1_000 + n as i64),
                actor: format!("actor {n}"),
                actor_role: "agent".to_owned(),
                action: "read",
                conversation: (n % 2 == 0).then(|| talks[0].id()),
                detail: format!(r#"{{"n":{n}}}"#),
            };
            let acts: Vec<Act> = (0..count).map(act).collect();
            backend.audit(node.incarnation).await.record(&acts).await.unwrap();
        }
        notary.anchor(backend).await.unwrap();
    }
}

/// Makes the changes; how many the database took, or `None` if it refused one of them.
async fn make(bench: &mut dyn Workbench, statements: &[String]) -> Option<u64> {
    let mut rows = 0;
    for statement in statements {
        rows += bench.execute(statement.clone()).await?;
    }
    Some(rows)
}

pub(super) async fn a_thousand_changes_at_or_before_the_last_anchor_are_a_thousand_findings(backend: &impl Backend) {
    let notary = Notary::new();
    fill(backend, &notary).await;
    let anchors = notary.anchors();
    let mut bench = backend.bench().await;
    let report = verify(bench.source(), &anchors).await.unwrap();
    assert!(report.is_intact() && report.unproven.entries + report.unproven.acts == 0, "{report:?}");
    // Nothing below touches the file, and its signatures take longer to check than all the rest.
    let unsigned = Anchors { keys: Vec::new(), ..anchors.clone() };
    let data = Data::read(bench.source()).await;
    let mut draws = Draws::new(SEED, backend.dialect(), data);
    let (mut made, mut missed, mut kinds) = (0, Vec::new(), std::collections::BTreeMap::<&str, usize>::new());
    while made < CHANGES {
        let (name, statements) = draws.next();
        bench.execute("BEGIN".to_owned()).await.unwrap();
        let rows = make(&mut *bench, &statements).await;
        if rows.is_some_and(|rows| rows > 0) {
            made += 1;
            *kinds.entry(name).or_default() += 1;
            // What cannot be read any more is found, too.
            let report = verify(bench.source(), &unsigned).await;
            if report.is_ok_and(|report| report.is_intact()) {
                missed.push((name, statements));
            }
        }
        bench.execute("ROLLBACK".to_owned()).await.unwrap();
    }
    assert!(missed.is_empty(), "{} of {CHANGES} missed: {missed:#?}", missed.len());
    assert!(kinds.len() == draws::KINDS && kinds.values().all(|count| *count >= 10), "{kinds:?}");
    let report = verify(bench.source(), &anchors).await.unwrap();
    assert!(report.is_intact(), "a change was not undone: {:?}", report.broken);
}
