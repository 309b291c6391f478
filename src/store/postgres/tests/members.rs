//! Who is a member, how the view follows, and when somebody is found dead.

use onya_actors::ports::{Claim, Load, Members, StoreError};
use onya_core::cluster::{Evidence, Standing, Times, View};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::super::PostgresMembers;
use super::*;
use crate::store::contract::fixture::TAIL;

const BEATS: Load = Load { sockets: 0, conversations: 0 };

/// A node and its side of membership.
struct Somebody {
    node: Node,
    members: PostgresMembers,
}

impl Somebody {
    async fn join(backend: &TestPostgres, name: &str) -> Self {
        let node = Node::start(backend, name).await;
        let members = PostgresMembers::new(&backend.settings(), node.incarnation).unwrap();
        Self { node, members }
    }

    fn me(&self) -> onya_core::Incarnation {
        onya_core::Incarnation(self.node.incarnation)
    }

    async fn version(&self) -> u64 {
        self.members.view().await.unwrap().version
    }

    /// Makes its heartbeat so old, and does not change it otherwise.
    async fn age(&self, direct: &mut PgConnection, ms: u64) {
        let old = format!("UPDATE members SET heartbeat_at = now() - {ms} * interval '1 ms' WHERE incarnation = $1");
        sqlx::query(AssertSqlSafe(old)).bind(self.node.incarnation).execute(direct).await.unwrap();
    }

    async fn accuses(&self, suspect: &Self, evidence: Evidence) -> bool {
        self.members.accuse(suspect.me()).await.unwrap();
        self.members.convict(suspect.me(), evidence).await.unwrap()
    }
}

fn standings(view: &View) -> Vec<(&str, Standing)> {
    view.members.iter().map(|member| (member.name.as_str(), member.standing)).collect()
}

async fn three(backend: &TestPostgres) -> [Somebody; 3] {
    [Somebody::join(backend, "a").await, Somebody::join(backend, "b").await, Somebody::join(backend, "c").await]
}

#[tokio::test]
async fn each_change_of_the_members_gives_the_view_a_higher_version_and_nothing_else_does() {
    let backend = TestPostgres::start().await;
    let a = Somebody::join(&backend, "a").await;
    let b = Somebody::join(&backend, "b").await;
    let joined = a.members.view().await.unwrap();
    assert_eq!(standings(&joined), [("a", Standing::Joining), ("b", Standing::Joining)]);
    assert_eq!(joined.version, 2);
    b.members.ready().await.unwrap();
    b.members.ready().await.unwrap();
    assert_eq!(a.version().await, 3);
    b.members.drain().await.unwrap();
    b.members.drain().await.unwrap();
    b.members.ready().await.unwrap();
    let draining = a.members.view().await.unwrap();
    assert_eq!((standings(&draining)[1], draining.version), (("b", Standing::Draining), 4), "it never goes back");
    a.members.beat(Load { sockets: 4, conversations: 2 }).await.unwrap();
    a.members.accuse(b.me()).await.unwrap();
    assert_eq!(a.version().await, 4);
    b.node.log.retire().await.unwrap();
    b.node.log.retire().await.unwrap();
    let retired = a.members.view().await.unwrap();
    assert_eq!((standings(&retired), retired.version), (vec![("a", Standing::Joining)], 5));
    let load = "SELECT sockets * 10 + conversations FROM members WHERE name = 'a'";
    assert_eq!(backend.number(load).await, 42);
}

#[tokio::test]
async fn a_change_that_is_undone_leaves_the_version_as_it_was() {
    let backend = TestPostgres::start().await;
    let a = Somebody::join(&backend, "a").await;
    let before = a.version().await;
    let mut direct = backend.direct().await;
    let mut transaction = direct.begin().await.unwrap();
    sqlx::query("UPDATE members SET state = 'dead'").execute(&mut *transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(a.version().await, before);
}

#[tokio::test]
async fn what_a_program_without_heartbeats_and_a_person_at_a_prompt_do_raises_the_version_too() {
    let backend = TestPostgres::start().await;
    let a = Somebody::join(&backend, "a").await;
    let before = a.version().await;
    backend
        .execute(
            "INSERT INTO members (incarnation, name, state, started_at) VALUES (gen_random_uuid(), 'old', 'live', 1)",
        )
        .await;
    let view = a.members.view().await.unwrap();
    assert_eq!((standings(&view).len(), view.version), (1, before + 1), "nothing is placed on who has no heartbeat");
    backend.execute("UPDATE members SET state = 'dead' WHERE name = 'old' AND state = 'live'").await;
    assert_eq!(a.version().await, before + 2);
    backend.execute("DELETE FROM members WHERE name = 'old'").await;
    assert_eq!(a.version().await, before + 3);
}

#[tokio::test]
async fn a_member_without_heartbeats_is_never_found_dead() {
    let backend = TestPostgres::start().await;
    let [a, b, old] = three(&backend).await;
    backend.execute("UPDATE members SET heartbeat_at = NULL WHERE name = 'c'").await;
    for evidence in [Evidence::Lease, Evidence::Heartbeat] {
        assert!(!a.accuses(&old, evidence).await && !b.accuses(&old, evidence).await);
    }
    assert!(a.members.look(&[old.me()]).await.unwrap().ages.is_empty());
}

#[tokio::test]
async fn whoever_joins_or_drains_is_not_robbed() {
    let backend = TestPostgres::start().await;
    let [a, b, _] = three(&backend).await;
    let joining = a.node.talk().await;
    let claim = b.node.log.claim(joining.id(), TAIL).await.unwrap();
    assert!(matches!(claim, Claim::OwnedByOther(owner) if owner == a.me()));
    a.members.ready().await.unwrap();
    a.members.drain().await.unwrap();
    let claim = b.node.log.claim(joining.id(), TAIL).await.unwrap();
    assert!(matches!(claim, Claim::OwnedByOther(owner) if owner == a.me()));
}

#[tokio::test]
async fn a_look_tells_how_old_heartbeats_are_and_a_beat_makes_one_new() {
    let backend = TestPostgres::start().await;
    let [a, b, c] = three(&backend).await;
    let mut direct = backend.direct().await;
    b.age(&mut direct, 5_000).await;
    c.age(&mut direct, 70_000).await;
    let look = a.members.look(&[b.me(), c.me()]).await.unwrap();
    let age = |of: &Somebody, look: &onya_actors::ports::Look| {
        look.ages.iter().find(|(member, _)| *member == of.me()).map(|(_, age)| age / 1_000)
    };
    assert_eq!((age(&b, &look), age(&c, &look)), (Some(5), Some(70)));
    let pulse = b.members.beat(BEATS).await.unwrap().unwrap();
    let look = a.members.look(&[b.me(), c.me()]).await.unwrap();
    assert_eq!(age(&b, &look), Some(0));
    let mine = look.pulse.unwrap();
    assert!(mine.at >= pulse.at && mine.version == pulse.version && mine.standing == Standing::Joining);
    c.node.log.retire().await.unwrap();
    assert_eq!(age(&c, &a.members.look(&[b.me(), c.me()]).await.unwrap()), None);
}

#[tokio::test]
async fn the_dead_and_the_replaced_are_told_so() {
    let backend = TestPostgres::start().await;
    let [a, b, _c] = three(&backend).await;
    let again = Somebody::join(&backend, "a").await;
    assert_eq!(a.members.beat(BEATS).await.unwrap(), None);
    assert_eq!(a.members.look(&[b.me()]).await.unwrap().pulse, None);
    assert_eq!(a.members.view().await.unwrap().members[0].incarnation, again.me());
    b.age(&mut backend.direct().await, 6_000).await;
    assert!(again.accuses(&b, Evidence::Heartbeat).await);
    assert_eq!(b.members.beat(BEATS).await.unwrap(), None);
    assert!(matches!(b.node.log.claim(b.node.open().await, TAIL).await, Err(StoreError::Refused(_))));
}

#[tokio::test]
async fn a_verdict_needs_two_and_a_late_heartbeat_or_one_and_a_stale_one() {
    let backend = TestPostgres::start().await;
    let [a, b, c] = three(&backend).await;
    let (times, mut direct) = (Times::default(), backend.direct().await);
    let (late, stale) = (times.late_after_ms(), times.stale_after_ms);
    let version = a.version().await;

    c.age(&mut direct, late - 500).await;
    assert!(!a.accuses(&c, Evidence::Lease).await && !b.accuses(&c, Evidence::Lease).await, "its heartbeat is in time");
    assert!(!a.accuses(&c, Evidence::Heartbeat).await, "whatever an observer makes of it");

    backend.execute("DELETE FROM suspicions").await;
    c.age(&mut direct, late).await;
    assert!(!a.accuses(&c, Evidence::Lease).await && !a.accuses(&c, Evidence::Lease).await, "one is not two");
    backend.execute("UPDATE suspicions SET at = now() - interval '1 hour'").await;
    assert!(!b.accuses(&c, Evidence::Lease).await, "an old word does not count");
    assert_eq!(a.version().await, version);
    assert!(a.accuses(&c, Evidence::Lease).await, "two");
    assert_eq!(a.version().await, version + 1);
    assert!(!b.accuses(&c, Evidence::Lease).await, "nobody dies twice");
    assert_eq!(a.version().await, version + 1);

    b.age(&mut direct, stale).await;
    assert!(!a.accuses(&b, Evidence::Lease).await, "the observer does not trust heartbeats");
    assert!(a.accuses(&b, Evidence::Heartbeat).await);
    assert_eq!(standings(&a.members.view().await.unwrap()), [("a", Standing::Joining)]);
}

#[tokio::test]
async fn the_word_of_the_dead_and_of_those_who_do_not_beat_counts_for_nothing() {
    let backend = TestPostgres::start().await;
    let [a, b, c] = three(&backend).await;
    let (times, mut direct) = (Times::default(), backend.direct().await);
    c.age(&mut direct, times.stale_after_ms).await;
    a.age(&mut direct, times.stale_after_ms).await;
    assert!(!a.accuses(&c, Evidence::Heartbeat).await, "its own heartbeat is stale");
    a.members.accuse(c.me()).await.unwrap();
    a.node.log.retire().await.unwrap();
    assert!(!b.accuses(&c, Evidence::Lease).await, "the other accuser is dead");
    assert!(!a.accuses(&c, Evidence::Heartbeat).await, "the dead do not judge");
    assert_eq!(backend.number("SELECT count(*) FROM suspicions WHERE at > now() - interval '1 s'").await, 2);
    assert!(b.accuses(&c, Evidence::Heartbeat).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_accuse_at_once_exactly_one_gives_the_verdict() {
    let backend = TestPostgres::start().await;
    let [a, b] = [Somebody::join(&backend, "a").await, Somebody::join(&backend, "b").await];
    let mut direct = backend.direct().await;
    for _ in 0..50 {
        let c = Somebody::join(&backend, "c").await;
        c.age(&mut direct, 4_000).await;
        a.members.beat(BEATS).await.unwrap();
        b.members.beat(BEATS).await.unwrap();
        let version = a.version().await;
        let verdicts = tokio::join!(a.accuses(&c, Evidence::Lease), b.accuses(&c, Evidence::Lease));
        assert!(verdicts.0 != verdicts.1, "{verdicts:?}");
        assert_eq!(a.version().await, version + 1);
    }
}

/// The verdict waits for the row of the suspect, on which a heartbeat is in progress.
#[tokio::test]
async fn a_heartbeat_that_is_committed_first_saves_the_suspect() {
    let backend = TestPostgres::start().await;
    let [a, _b, c] = three(&backend).await;
    let mut direct = backend.direct().await;
    c.age(&mut direct, 10_000).await;
    let mut transaction = direct.begin().await.unwrap();
    let beat = sqlx::query("UPDATE members SET heartbeat_at = clock_timestamp() WHERE incarnation = $1");
    beat.bind(c.node.incarnation).execute(&mut *transaction).await.unwrap();
    let committing = async {
        backend.until_blocked(1).await;
        transaction.commit().await.unwrap();
    };
    let (convicted, ()) = tokio::join!(a.accuses(&c, Evidence::Heartbeat), committing);
    assert!(!convicted);
    assert!(c.members.beat(BEATS).await.unwrap().is_some());
}

#[tokio::test]
async fn a_heartbeat_that_comes_after_the_verdict_is_told_of_it() {
    let backend = TestPostgres::start().await;
    let [a, _b, c] = three(&backend).await;
    let mut direct = backend.direct().await;
    let mut transaction = direct.begin().await.unwrap();
    let verdict = sqlx::query("UPDATE members SET state = 'dead' WHERE incarnation = $1");
    verdict.bind(c.node.incarnation).execute(&mut *transaction).await.unwrap();
    let committing = async {
        backend.until_blocked(1).await;
        transaction.commit().await.unwrap();
    };
    let (pulse, ()) = tokio::join!(c.members.beat(BEATS), committing);
    assert_eq!(pulse.unwrap(), None);
    assert_eq!(a.members.view().await.unwrap().members.len(), 2);
}

/// A process that stands still while it claims: its session holds the lock of the conversation.
#[tokio::test]
async fn the_sessions_of_the_dead_are_ended_so_that_a_takeover_need_not_wait_for_them() {
    let backend = TestPostgres::start().await;
    let [a, b, _c] = three(&backend).await;
    let talk = a.node.talk().await;
    let mut hung = options_of(&backend, a.node.incarnation).connect().await.unwrap();
    sqlx::query("SET idle_in_transaction_session_timeout = 0").execute(&mut hung).await.unwrap();
    sqlx::query("BEGIN").execute(&mut hung).await.unwrap();
    let lock = sqlx::query(include_str!("../queries/lock.sql")).bind(talk.id().0);
    lock.execute(&mut hung).await.unwrap();
    a.age(&mut backend.direct().await, 10_000).await;
    assert!(b.accuses(&a, Evidence::Heartbeat).await);
    let blocked = b.node.log.claim(talk.id(), TAIL).await.unwrap_err();
    assert!(blocked.to_string().contains("55P03"), "{blocked}");
    assert_eq!(b.members.end_sessions(a.me()).await.unwrap(), 1);
    b.node.claim(talk.id()).await.chatter(1).await;
    assert!(sqlx::query("COMMIT").execute(&mut hung).await.is_err());
}

#[tokio::test]
async fn a_start_under_the_same_name_ends_what_the_one_before_is_in_the_middle_of() {
    let backend = TestPostgres::start().await;
    let before = Somebody::join(&backend, "a").await;
    let talk = before.node.talk().await;
    let mut hung = options_of(&backend, before.node.incarnation).connect().await.unwrap();
    sqlx::query("BEGIN").execute(&mut hung).await.unwrap();
    let lock = sqlx::query(include_str!("../queries/lock.sql")).bind(talk.id().0);
    lock.execute(&mut hung).await.unwrap();
    let mut idle = options_of(&backend, before.node.incarnation).connect().await.unwrap();
    let other = Somebody::join(&backend, "b").await;
    let again = Somebody::join(&backend, "a").await;
    again.node.claim(talk.id()).await.chatter(1).await;
    assert!(sqlx::query("SELECT 1").execute(&mut hung).await.is_err());
    sqlx::query("SELECT 1").execute(&mut idle).await.unwrap();
    assert!(other.members.beat(BEATS).await.unwrap().is_some(), "nobody else is touched");
}

fn options_of(backend: &TestPostgres, incarnation: Uuid) -> PgConnectOptions {
    super::super::session::options(&backend.settings(), Some(incarnation)).unwrap()
}

#[tokio::test]
async fn accusations_do_not_pile_up() {
    let backend = TestPostgres::start().await;
    let [a, b, c] = three(&backend).await;
    for _ in 0..3 {
        a.members.accuse(c.me()).await.unwrap();
        b.members.accuse(c.me()).await.unwrap();
    }
    assert_eq!(backend.number("SELECT count(*) FROM suspicions").await, 2);
    backend.execute("UPDATE suspicions SET at = now() - interval '1 hour'").await;
    let _d = Somebody::join(&backend, "d").await;
    assert_eq!(backend.number("SELECT count(*) FROM suspicions").await, 0);
}

#[tokio::test]
async fn without_the_database_every_question_fails_in_time_and_it_goes_on_afterwards() {
    let backend = TestPostgres::start().await;
    let a = Somebody::join(&backend, "a").await;
    a.members.beat(BEATS).await.unwrap();
    let mut direct = backend.direct().await;
    let mut transaction = direct.begin().await.unwrap();
    sqlx::query("LOCK TABLE members IN ACCESS EXCLUSIVE MODE").execute(&mut *transaction).await.unwrap();
    assert!(matches!(a.members.beat(BEATS).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(a.members.look(&[]).await, Err(StoreError::Unavailable(_))));
    transaction.rollback().await.unwrap();
    assert!(a.members.beat(BEATS).await.unwrap().is_some());
}
