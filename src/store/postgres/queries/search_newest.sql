-- Hits among the newest texts before a place: $5 texts are looked at, so that a word that stands in many of them costs
-- no more than a rare one.
WITH newest AS MATERIALIZED (
    SELECT conversation, seq, at, words
    FROM search
    WHERE (at, conversation, seq) < ($2, $3, $4)
    ORDER BY at DESC, conversation DESC, seq DESC
    LIMIT $5
),
hit AS MATERIALIZED (
    SELECT conversation, seq, at
    FROM newest
    WHERE words @@ $1::tsquery
    ORDER BY at DESC, conversation DESC, seq DESC
    LIMIT $6
)
SELECT h.conversation, h.seq, h.at, e.body
FROM hit AS h
CROSS JOIN LATERAL (SELECT body FROM entries WHERE conversation = h.conversation AND seq = h.seq LIMIT 1) AS e
ORDER BY h.at DESC, h.conversation DESC, h.seq DESC
