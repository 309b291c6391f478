//! Every metric: its name, unit, labels and meaning.
//!
//! Other crates use the same names as plain texts through the `metrics` facade. No label ever holds an identifier of a
//! person or conversation: a series per conversation would make `/metrics` grow without end.

use metrics::Unit;

/// HTTP requests that were answered.
pub const HTTP_REQUESTS_TOTAL: &str = "onya_http_requests_total";
/// Time from a request to its answer.
pub const HTTP_REQUEST_SECONDS: &str = "onya_http_request_seconds";
/// Open WebSockets.
pub const CONNECTIONS: &str = "onya_connections";
/// Connections that had to wait before they were taken.
pub const ACCEPTS_DELAYED_TOTAL: &str = "onya_accepts_delayed_total";
/// Conversations in memory.
pub const CONVERSATIONS_ACTIVE: &str = "onya_conversations_active";
/// Conversations in which work waits and nothing is done.
pub const CONVERSATIONS_STUCK: &str = "onya_conversations_stuck";
/// Conversations whose readers on another node had missed something.
pub const READERS_BROUGHT_BACK_TOTAL: &str = "onya_readers_brought_back_total";
/// Conversation actors that were replaced because nothing was done in them.
pub const CONVERSATIONS_REPLACED_TOTAL: &str = "onya_conversations_replaced_total";
/// Turns that ended.
pub const TURNS_TOTAL: &str = "onya_turns_total";
/// Conversations that were handed to people.
pub const ESCALATIONS_TOTAL: &str = "onya_escalations_total";
/// Time from a committed message to the first piece of its reply.
pub const TIME_TO_FIRST_TOKEN_SECONDS: &str = "onya_time_to_first_token_seconds";
/// Time from a command to its ack, the commit included.
pub const ACK_SECONDS: &str = "onya_ack_seconds";
/// Conversations in one batch.
pub const APPEND_BATCH_CONVERSATIONS: &str = "onya_append_batch_conversations";
/// Time for one batch.
pub const APPEND_BATCH_SECONDS: &str = "onya_append_batch_seconds";
/// Appends by what became of them.
pub const APPEND_OUTCOMES_TOTAL: &str = "onya_append_outcomes_total";
/// Batches that were taken apart.
pub const APPEND_BISECTIONS_TOTAL: &str = "onya_append_bisections_total";
/// Connections to the database.
pub const DATABASE_POOL_CONNECTIONS: &str = "onya_database_pool_connections";
/// Time for one query.
pub const DATABASE_QUERY_SECONDS: &str = "onya_database_query_seconds";
/// Entries that wait in a queue.
pub const QUEUE_DEPTH: &str = "onya_queue_depth";
/// Commands and requests that were refused.
pub const REJECTIONS_TOTAL: &str = "onya_rejections_total";
/// Replies being written.
pub const REPLIES_IN_PROGRESS: &str = "onya_replies_in_progress";
/// Calls of the model's provider.
pub const LLM_ATTEMPTS_TOTAL: &str = "onya_llm_attempts_total";
/// Acts that were put on record.
pub const AUDIT_ACTS_TOTAL: &str = "onya_audit_acts_total";
/// Conversation actors that crashed.
pub const CRASHES_TOTAL: &str = "onya_crashes_total";
/// Sockets closed because their reader was too slow.
pub const SLOW_CONSUMERS_TOTAL: &str = "onya_slow_consumers_total";
/// Members of the cluster in this node's view.
pub const MEMBERS: &str = "onya_members";
/// Version of this node's view.
pub const VIEW_VERSION: &str = "onya_view_version";
/// Members that seemed dead to this node.
pub const SUSPICIONS_TOTAL: &str = "onya_suspicions_total";
/// Members that were found dead on this node's word.
pub const VERDICTS_TOTAL: &str = "onya_verdicts_total";
/// Whether this node may judge others by what it sees.
pub const EVIDENCE_TRUSTED: &str = "onya_evidence_trusted";
/// Rounds among the members that the database did not answer.
pub const HEARTBEAT_FAILURES_TOTAL: &str = "onya_heartbeat_failures_total";
/// Questions that Redis did not answer.
pub const REDIS_FAILURES_TOTAL: &str = "onya_redis_failures_total";
/// Open links between nodes.
pub const LINKS: &str = "onya_links";
/// Links that ended, or could not be opened.
pub const LINK_LOSSES_TOTAL: &str = "onya_link_losses_total";
/// Links that were not taken.
pub const LINK_REFUSALS_TOTAL: &str = "onya_link_refusals_total";
/// Frames between nodes.
pub const LINK_FRAMES_TOTAL: &str = "onya_link_frames_total";
/// Bytes of frames between nodes.
pub const LINK_BYTES_TOTAL: &str = "onya_link_bytes_total";
/// Frames that were dropped because a node does not keep up.
pub const LINK_FRAMES_DROPPED_TOTAL: &str = "onya_link_frames_dropped_total";

/// What an operator should see to in the database.
pub const STORE_WARNINGS: &str = "onya_store_warnings";

/// What a metric counts or measures.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Grows and shrinks.
    Gauge,
    /// Observations, counted per bucket; these are the buckets' upper ends.
    Histogram(&'static [f64]),
}

/// A metric as it is described to who reads `/metrics`.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it counts or measures.
    pub kind: Kind,
    /// In which unit.
    pub unit: Unit,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// Its meaning.
    pub description: &'static str,
}

/// From a committed write on a fast disk to the longest time-out of a statement.
const STORE_BUCKETS_S: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// From an answer out of memory to the longest time-out of a request.
const REQUEST_BUCKETS_S: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0];
/// From a model next door to the longest wait for the first content with its retries.
const FIRST_TOKEN_BUCKETS_S: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 60.0, 110.0];
/// From a lone conversation to the largest batch.
const BATCH_BUCKETS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// All metrics.
pub const METRICS: [Metric; 39] = [
    metric(
        HTTP_REQUESTS_TOTAL,
        Kind::Counter,
        Unit::Count,
        &["method", "route", "status"],
        "HTTP requests answered, by route template and status",
    ),
    metric(
        HTTP_REQUEST_SECONDS,
        Kind::Histogram(REQUEST_BUCKETS_S),
        Unit::Seconds,
        &["route"],
        "Time from a request to its answer",
    ),
    metric(CONNECTIONS, Kind::Gauge, Unit::Count, &["role"], "Open WebSockets"),
    metric(CONVERSATIONS_ACTIVE, Kind::Gauge, Unit::Count, &[], "Conversations in memory"),
    metric(TURNS_TOTAL, Kind::Counter, Unit::Count, &["outcome"], "Turns that ended, by how"),
    metric(ESCALATIONS_TOTAL, Kind::Counter, Unit::Count, &["reason"], "Conversations handed to people, by reason"),
    metric(
        TIME_TO_FIRST_TOKEN_SECONDS,
        Kind::Histogram(FIRST_TOKEN_BUCKETS_S),
        Unit::Seconds,
        &[],
        "Time from a committed message to the first piece of its reply",
    ),
    metric(
        ACK_SECONDS,
        Kind::Histogram(STORE_BUCKETS_S),
        Unit::Seconds,
        &[],
        "Time from a command to its ack, the commit included",
    ),
    metric(APPEND_BATCH_CONVERSATIONS, Kind::Histogram(BATCH_BUCKETS), Unit::Count, &[], "Conversations in one batch"),
    metric(APPEND_BATCH_SECONDS, Kind::Histogram(STORE_BUCKETS_S), Unit::Seconds, &[], "Time for one batch"),
    metric(
        APPEND_OUTCOMES_TOTAL,
        Kind::Counter,
        Unit::Count,
        &["outcome"],
        "Appends of one conversation by what became of them, each attempt counted",
    ),
    metric(
        APPEND_BISECTIONS_TOTAL,
        Kind::Counter,
        Unit::Count,
        &[],
        "Batches that the database refused and that were taken apart to find the append at fault",
    ),
    metric(
        DATABASE_POOL_CONNECTIONS,
        Kind::Gauge,
        Unit::Count,
        &["state"],
        "Connections to the database, idle or in use",
    ),
    metric(
        DATABASE_QUERY_SECONDS,
        Kind::Histogram(STORE_BUCKETS_S),
        Unit::Seconds,
        &["query"],
        "Time for one query, by its name",
    ),
    metric(QUEUE_DEPTH, Kind::Gauge, Unit::Count, &["queue"], "Entries that wait in a queue"),
    metric(REJECTIONS_TOTAL, Kind::Counter, Unit::Count, &["code"], "Commands and requests refused, by code"),
    metric(REPLIES_IN_PROGRESS, Kind::Gauge, Unit::Count, &[], "Replies being written"),
    metric(
        LLM_ATTEMPTS_TOTAL,
        Kind::Counter,
        Unit::Count,
        &["outcome"],
        "Calls of the model's provider, by how they ended",
    ),
    metric(AUDIT_ACTS_TOTAL, Kind::Counter, Unit::Count, &[], "Acts that were put on record"),
    metric(
        READERS_BROUGHT_BACK_TOTAL,
        Kind::Counter,
        Unit::Count,
        &[],
        "Conversations whose readers on another node had missed something, as a digest showed",
    ),
    metric(
        ACCEPTS_DELAYED_TOTAL,
        Kind::Counter,
        Unit::Count,
        &[],
        "Times that the next connection was not taken at once because too many came",
    ),
    metric(CRASHES_TOTAL, Kind::Counter, Unit::Count, &[], "Conversation actors that crashed"),
    metric(
        CONVERSATIONS_STUCK,
        Kind::Gauge,
        Unit::Count,
        &[],
        "Conversations in which work waits and nothing was done for long",
    ),
    metric(
        CONVERSATIONS_REPLACED_TOTAL,
        Kind::Counter,
        Unit::Count,
        &[],
        "Conversation actors that were replaced because nothing was done in them",
    ),
    metric(SLOW_CONSUMERS_TOTAL, Kind::Counter, Unit::Count, &[], "Sockets closed because their reader was too slow"),
    metric(MEMBERS, Kind::Gauge, Unit::Count, &["standing"], "Members of the cluster in this node's view, by standing"),
    metric(VIEW_VERSION, Kind::Gauge, Unit::Count, &[], "Version of this node's view of the members"),
    metric(
        SUSPICIONS_TOTAL,
        Kind::Counter,
        Unit::Count,
        &["evidence"],
        "Members that seemed dead to this node, by what spoke against them",
    ),
    metric(
        VERDICTS_TOTAL,
        Kind::Counter,
        Unit::Count,
        &["evidence"],
        "Members that were found dead on this node's word, by what spoke against them",
    ),
    metric(
        EVIDENCE_TRUSTED,
        Kind::Gauge,
        Unit::Count,
        &["source"],
        "Whether this node may judge others by what it sees of their leases and heartbeats, 1 or 0",
    ),
    metric(
        HEARTBEAT_FAILURES_TOTAL,
        Kind::Counter,
        Unit::Count,
        &[],
        "Rounds among the members, heartbeats included, that the database did not answer",
    ),
    metric(
        REDIS_FAILURES_TOTAL,
        Kind::Counter,
        Unit::Count,
        &["of"],
        "Renewals of the lease that Redis did not answer",
    ),
    metric(LINKS, Kind::Gauge, Unit::Count, &["direction"], "Open links to other nodes, by who opened them"),
    metric(
        LINK_LOSSES_TOTAL,
        Kind::Counter,
        Unit::Count,
        &["direction", "reason"],
        "Links to other nodes that ended or could not be opened, by why",
    ),
    metric(
        LINK_REFUSALS_TOTAL,
        Kind::Counter,
        Unit::Count,
        &["reason"],
        "Connections to the port for links that were refused, by why",
    ),
    metric(
        LINK_FRAMES_TOTAL,
        Kind::Counter,
        Unit::Count,
        &["direction"],
        "Frames sent to and received from other nodes",
    ),
    metric(
        LINK_BYTES_TOTAL,
        Kind::Counter,
        Unit::Bytes,
        &["direction"],
        "Bytes of frames sent to and received from other nodes",
    ),
    metric(
        LINK_FRAMES_DROPPED_TOTAL,
        Kind::Counter,
        Unit::Count,
        &[],
        "Pieces of replies and signs of typing that were dropped because another node does not keep up",
    ),
    metric(
        STORE_WARNINGS,
        Kind::Gauge,
        Unit::Count,
        &["about"],
        "What an operator should see to in the database: durability of acknowledgements, upkeep",
    ),
];

const fn metric(
    name: &'static str,
    kind: Kind,
    unit: Unit,
    labels: &'static [&'static str],
    description: &'static str,
) -> Metric {
    Metric { name, kind, unit, labels, description }
}
