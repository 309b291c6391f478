-- Two index scans, over the timers that are due and over the open turns, of conversations that no other live
-- incarnation owns, and whether this one does. $1: now. $2: this incarnation. $3: at most so many.
SELECT id, owned
FROM (
    SELECT id, next_deadline, owner IS NOT NULL AND owner = $2 AS owned
    FROM conversations
    WHERE next_deadline <= $1
      AND (owner IS NULL
           OR owner = $2
           OR NOT EXISTS (SELECT 1 FROM members AS m WHERE m.incarnation = owner AND m.state = 'live'))
    UNION
    SELECT id, next_deadline, owner IS NOT NULL AND owner = $2 AS owned
    FROM conversations
    WHERE turn_seq IS NOT NULL
      AND (owner IS NULL
           OR NOT EXISTS (SELECT 1 FROM members AS m WHERE m.incarnation = owner AND m.state = 'live'))
) AS wanted
ORDER BY next_deadline NULLS LAST, id
LIMIT $3
