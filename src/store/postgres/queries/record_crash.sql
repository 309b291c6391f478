-- The count is of the snapshot, which lacks the crash that is noted here.
WITH pruned AS (
    DELETE FROM crashes WHERE conversation = $1 AND at <= $4
),
noted AS (
    INSERT INTO crashes (conversation, id, at) VALUES ($1, $2, $3)
)
SELECT count(*) + 1 FROM crashes WHERE conversation = $1 AND at > $4
