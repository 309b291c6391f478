-- As in ../../postgres: customers who wait for an agent who is not connected. $1: this incarnation. $2: who is, as a JSON
-- array of identifiers in hexadecimal. $3: at most so many.
SELECT id, owed_by, owner IS NOT NULL AND owner = $1 AS owned
FROM conversations
WHERE owed_by IS NOT NULL
  AND hex(owed_by) NOT IN (SELECT value FROM json_each($2))
  AND (owner IS NULL
       OR owner = $1
       OR NOT EXISTS (SELECT 1 FROM members AS m WHERE m.incarnation = owner AND m.state = 'live'))
ORDER BY id
LIMIT $3
