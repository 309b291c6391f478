-- Entries after position $2, oldest first. $3: staff, who see everything.
SELECT seq, customer_prev, at, body, participant, client_msg_id, commitment, erased
FROM entries
WHERE conversation = $1 AND seq > $2 AND (customer_sees OR $3)
ORDER BY seq
LIMIT CAST($4 AS bigint)
