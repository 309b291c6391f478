-- The verdict, compared and set: whoever is not dead is, if its heartbeat is stale and the one who asks ($2) may judge by
-- that ($3), or if its heartbeat is late and two accuse it. Nobody's word counts who is dead or does not beat.
-- $4: stale after so many ms. $5: late after so many. $6: an accusation counts for so many.
--
-- The row is locked before it is compared, so a heartbeat that is committed first saves it. `now()` is when the statement
-- began: whoever waits for a lock judges by the time before.
WITH convicted AS (
    UPDATE members AS m
    SET state = 'dead'
    WHERE m.incarnation = $1
      AND m.state = 'live'
      AND (($3 AND m.heartbeat_at <= now() - $4 * interval '1 ms')
           OR (m.heartbeat_at < now() - $5 * interval '1 ms'
               AND (SELECT count(*)
                    FROM suspicions AS s
                    JOIN members AS o ON o.incarnation = s.observer AND o.state = 'live'
                    WHERE s.suspect = $1 AND s.at >= now() - $6 * interval '1 ms') >= 2))
      AND EXISTS (SELECT 1
                  FROM members AS me
                  WHERE me.incarnation = $2
                    AND me.state = 'live'
                    AND me.heartbeat_at >= now() - $4 * interval '1 ms')
    RETURNING m.incarnation
)
SELECT EXISTS (SELECT 1 FROM convicted)
