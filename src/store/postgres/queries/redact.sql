-- Redacted bodies in place of the bodies; links and commitments stay, so that the chain goes on. $4 to $5 is where they
-- stand, so that the join reads these rows only.
UPDATE entries AS e
SET body = r.body, salt = NULL, erased = true
FROM unnest($2::bigint[], $3::text[]) AS r (seq, body)
WHERE e.conversation = $1 AND e.seq = r.seq AND e.seq BETWEEN $4 AND $5
