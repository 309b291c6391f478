-- Conversations whose newest texts are not searchable yet, newest first, and what was said in each since: one row without a
-- text if it was nothing.
SELECT c.id, c.searched_seq, c.last_seq, said.seq, said.at, said.body
FROM (
    SELECT id, searched_seq, last_seq FROM conversations WHERE searched_seq < last_seq ORDER BY id DESC LIMIT CAST($1 AS bigint)
) AS c
LEFT JOIN LATERAL (
    SELECT seq, at, body
    FROM entries
    WHERE conversation = c.id AND seq > c.searched_seq AND seq <= c.last_seq AND kind IN ('message_said', 'turn_ended')
    ORDER BY seq
    LIMIT CAST($2 AS bigint)
) AS said ON true
ORDER BY c.id DESC, said.seq
