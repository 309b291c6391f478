-- The newest entries up to position $2, newest first: at most $3, and none once the newer ones hold over $4 bytes. Its
-- limit is no bare parameter: SQLite would plan the statement anew at each execution.
SELECT seq, customer_prev, at, body, participant, client_msg_id, commitment, erased
FROM (
    SELECT newest.*, sum(octet_length(body)) OVER (ORDER BY seq DESC) - octet_length(body) AS newer_bytes
    FROM (
        SELECT seq, customer_prev, at, body, participant, client_msg_id, commitment, erased
        FROM entries
        WHERE conversation = $1 AND seq <= $2
        ORDER BY seq DESC
        LIMIT CAST($3 AS bigint)
    ) AS newest
) AS measured
WHERE newer_bytes <= $4
ORDER BY seq DESC
