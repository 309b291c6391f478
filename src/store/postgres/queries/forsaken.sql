-- Customers who wait for an agent who is connected nowhere, in conversations that no other live incarnation owns; and tells
-- the others who is connected to this one. A member that does not say who is connected to it may have anybody.
-- $1: this incarnation. $2: the agents that are connected to it. $3: at most so many.
WITH told AS (
    UPDATE members SET agents = $2::uuid[] WHERE incarnation = $1 AND state = 'live' AND agents IS DISTINCT FROM $2::uuid[]
)
SELECT c.id, c.owed_by, c.owner IS NOT NULL AND c.owner = $1 AS owned
FROM conversations AS c
WHERE c.owed_by IS NOT NULL
  AND c.owed_by <> ALL ($2::uuid[])
  AND (c.owner IS NULL
       OR c.owner = $1
       OR NOT EXISTS (SELECT 1 FROM members AS m WHERE m.incarnation = c.owner AND m.state = 'live'))
  AND NOT EXISTS (SELECT 1
                  FROM members AS m
                  WHERE m.state = 'live' AND m.incarnation <> $1 AND (m.agents IS NULL OR c.owed_by = ANY (m.agents)))
ORDER BY c.id
LIMIT $3
