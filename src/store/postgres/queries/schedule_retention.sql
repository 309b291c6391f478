-- The next closed conversations get the deadline that the setting in force gives them. Locked in order, so that two who
-- do this do not lock each other out. $1, $2: after which one. $3: at most so many. $4: kept for so long, in ms, or for
-- ever.
WITH page AS MATERIALIZED (
    SELECT id, closed_at, next_deadline
    FROM conversations
    WHERE closed_at IS NOT NULL AND erased_at IS NULL AND (closed_at, id) > ($1, $2)
    ORDER BY closed_at, id
    LIMIT $3
    FOR UPDATE
),
moved AS (
    UPDATE conversations AS c
    SET next_deadline = p.closed_at + $4::bigint
    FROM page AS p
    WHERE c.id = p.id AND p.next_deadline IS DISTINCT FROM p.closed_at + $4::bigint
)
SELECT closed_at, id FROM page ORDER BY closed_at DESC, id DESC LIMIT 1
