-- What was said in a conversation after position $2 and up to $3.
SELECT seq, at, body
FROM entries
WHERE conversation = $1 AND seq > $2 AND seq <= $3 AND kind IN ('message_said', 'turn_ended')
ORDER BY seq
LIMIT CAST($4 AS bigint)
