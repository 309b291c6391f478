-- Hits among all texts, by the index of words. Materialized, so that no plan walks along the times instead.
WITH found AS MATERIALIZED (
    SELECT conversation, seq, at FROM search WHERE words @@ $1::tsquery
),
hit AS MATERIALIZED (
    SELECT conversation, seq, at
    FROM found
    WHERE (at, conversation, seq) < ($2, $3, $4)
    ORDER BY at DESC, conversation DESC, seq DESC
    LIMIT $5
)
SELECT h.conversation, h.seq, h.at, e.body
FROM hit AS h
CROSS JOIN LATERAL (SELECT body FROM entries WHERE conversation = h.conversation AND seq = h.seq LIMIT 1) AS e
ORDER BY h.at DESC, h.conversation DESC, h.seq DESC
