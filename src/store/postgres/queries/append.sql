-- The fenced batch: entries for many conversations in one statement, so one transaction and one round trip. Of each
-- conversation either everything is written or nothing.
--
-- Why nothing can be missed, at READ COMMITTED:
--
-- 1. `locked` locks the rows in the order of their ids and passes over those that somebody else holds, so that it
--    never waits, and cannot deadlock. A claim locks the same row before it reads the log: it either comes first, and
--    then we are told `locked` or see its epoch, or it comes after our commit, and then it reads what we wrote.
-- 2. FOR UPDATE returns the newest committed version of a row, even one younger than the statement's snapshot. The
--    fence is compared with that version, and so is the end of the chain (none yet: 32 zero bytes).
-- 3. All other tables are read as of the snapshot. Could `repeated` or `broken` miss a row of `entries` or `turns`
--    that was committed after it? Such a row came with a higher `last_seq` of its conversation, in one transaction.
--    The locked version shows that `last_seq`, it differs from the expected one, and the append is fenced.
-- 4. So what is accepted was compared with everything that is stored of that conversation, and the lock is held until
--    the commit. The primary key of `entries` and the unique key of commands stand behind it; ON CONFLICT would turn
--    their refusal into a gap, and is not used for entries.
--
-- The modifying parts run on one snapshot in no order that matters: no row is touched by two of them.
--
-- LATERAL with LIMIT 1 is a join that can only be done row by row, along an index. An ordinary join may be planned as a
-- hash of the whole table, and is, if the plan is made while the table is small.
--
-- $1 is sorted, so its first and last element bound the conversations of the batch. That adds nothing to a comparison
-- with one conversation, but it is known before the statement runs: partitions of months that the batch has nothing
-- to do with are left out at its start, and cost no more than their lock.
WITH head AS MATERIALIZED (
    SELECT *
    FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[],
                $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[], $14::text[],
                $15::bytea[], $16::bytea[], $17::uuid[])
         WITH ORDINALITY
         AS h (conversation, epoch, nonce, expected_seq, last_seq, control, control_version,
               closed_at, turn_seq, turn_attempt, next_deadline, snapshot, queued_since, queued,
               previous, link, owed_by, n)
),
entry AS MATERIALIZED (
    SELECT h.conversation, h.epoch, e.*
    FROM unnest($18::bigint[], $19::bigint[], $20::bigint[], $21::boolean[], $22::bigint[], $23::text[], $24::text[],
                $25::uuid[], $26::text[], $27::bytea[], $28::bytea[], $29::bytea[], $30::bytea[])
         AS e (n, seq, customer_prev, customer_sees, at, kind, body, participant, client_msg_id, commitment,
               salt, body_commitment, link)
    JOIN head AS h ON h.n = e.n
),
change AS MATERIALIZED (
    SELECT h.conversation, t.*
    FROM unnest($31::bigint[], $32::bigint[], $33::boolean[], $34::bigint[], $35::text[], $36::bigint[])
         AS t (n, turn, opened, attempt, outcome, ended_seq)
    JOIN head AS h ON h.n = t.n
),
locked AS MATERIALIZED (
    SELECT c.id, c.epoch, c.nonce, c.last_seq, c.link
    FROM conversations AS c
    WHERE c.id = ANY ($1)
    ORDER BY c.id
    FOR UPDATE SKIP LOCKED
),
fitting AS MATERIALIZED (
    SELECT h.n
    FROM head AS h
    JOIN locked AS l ON l.id = h.conversation
    WHERE l.epoch = h.epoch AND l.nonce = h.nonce AND l.last_seq = h.expected_seq
      AND coalesce(l.link, '\x0000000000000000000000000000000000000000000000000000000000000000') = h.previous
),
repeated AS MATERIALIZED (
    SELECT DISTINCT ON (e.n) e.n, s.seq, s.participant, s.client_msg_id, s.commitment
    FROM entry AS e
    CROSS JOIN LATERAL (
        SELECT k.seq, k.participant, k.client_msg_id, k.commitment
        FROM entries AS k
        WHERE k.conversation = e.conversation AND k.participant = e.participant AND k.client_msg_id = e.client_msg_id
          AND k.conversation >= ($1)[1] AND k.conversation <= ($1)[cardinality($1)]
        LIMIT 1
    ) AS s
    WHERE e.client_msg_id IS NOT NULL
    ORDER BY e.n, e.seq
),
broken AS MATERIALIZED (
    SELECT DISTINCT ch.n
    FROM change AS ch
    LEFT JOIN LATERAL (
        SELECT o.turn
        FROM turns AS o
        WHERE o.conversation = ch.conversation AND o.turn = ch.turn AND o.ended_seq IS NULL AND o.attempt <= ch.attempt
          AND o.conversation >= ($1)[1] AND o.conversation <= ($1)[cardinality($1)]
        LIMIT 1
    ) AS t ON true
    WHERE NOT ch.opened AND t.turn IS NULL
),
accepted AS MATERIALIZED (
    SELECT n FROM fitting
    EXCEPT SELECT n FROM repeated
    EXCEPT SELECT n FROM broken
),
written_heads AS (
    UPDATE conversations AS c
    SET last_seq = h.last_seq,
        control = h.control,
        control_version = h.control_version,
        closed_at = coalesce(c.closed_at, h.closed_at),
        turn_seq = h.turn_seq,
        turn_attempt = h.turn_attempt,
        next_deadline = h.next_deadline,
        snapshot = coalesce(h.snapshot, c.snapshot),
        snapshot_seq = CASE WHEN h.snapshot IS NULL THEN c.snapshot_seq ELSE h.last_seq END,
        link = h.link,
        owed_by = h.owed_by,
        moved = pg_current_xact_id()
    FROM head AS h
    JOIN accepted AS a ON a.n = h.n
    WHERE c.id = h.conversation
),
written_entries AS (
    INSERT INTO entries (conversation, seq, customer_prev, customer_sees, at, epoch, kind, body, participant,
                         client_msg_id, commitment, salt, body_commitment, link)
    SELECT e.conversation, e.seq, e.customer_prev, e.customer_sees, e.at, e.epoch, e.kind, e.body, e.participant,
           e.client_msg_id, e.commitment, e.salt, e.body_commitment, e.link
    FROM entry AS e
    JOIN accepted AS a ON a.n = e.n
),
opened_turns AS (
    INSERT INTO turns (conversation, turn, attempt, outcome, ended_seq)
    SELECT ch.conversation, ch.turn, ch.attempt, ch.outcome, ch.ended_seq
    FROM change AS ch
    JOIN accepted AS a ON a.n = ch.n
    WHERE ch.opened
),
continued_turns AS (
    UPDATE turns AS t
    SET attempt = ch.attempt, outcome = ch.outcome, ended_seq = ch.ended_seq
    FROM change AS ch
    JOIN accepted AS a ON a.n = ch.n
    WHERE NOT ch.opened AND t.conversation = ch.conversation AND t.turn = ch.turn AND t.ended_seq IS NULL
      AND t.conversation >= ($1)[1] AND t.conversation <= ($1)[cardinality($1)]
),
queued AS (
    INSERT INTO queue_entries (conversation, control_version, since, queued)
    SELECT h.conversation, h.control_version, h.queued_since, h.queued
    FROM head AS h
    JOIN accepted AS a ON a.n = h.n
    WHERE h.queued IS NOT NULL
    ON CONFLICT (conversation) DO UPDATE
    SET control_version = excluded.control_version, since = excluded.since, queued = excluded.queued
),
unqueued AS (
    DELETE FROM queue_entries AS q
    USING head AS h, accepted AS a
    WHERE a.n = h.n AND h.queued IS NULL AND q.conversation = h.conversation
)
SELECT CASE
           WHEN a.n IS NOT NULL THEN 'accepted'
           WHEN x.id IS NOT NULL THEN 'locked'
           WHEN f.n IS NULL THEN 'fenced'
           WHEN r.n IS NOT NULL THEN 'repeated'
           ELSE 'broken'
       END AS outcome,
       r.seq, r.participant, r.client_msg_id, r.commitment
FROM head AS h
LEFT JOIN locked AS l ON l.id = h.conversation
LEFT JOIN fitting AS f ON f.n = h.n
LEFT JOIN accepted AS a ON a.n = h.n
LEFT JOIN repeated AS r ON r.n = h.n
LEFT JOIN LATERAL (SELECT c.id FROM conversations AS c WHERE c.id = h.conversation AND l.id IS NULL LIMIT 1) AS x ON true
ORDER BY h.n
