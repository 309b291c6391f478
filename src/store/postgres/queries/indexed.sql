-- Whoever takes words out of the index moves `searched_seq`, and is found out here.
UPDATE conversations AS c
SET searched_seq = d.reached
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS d (id, before, reached)
WHERE c.id = d.id AND c.searched_seq = d.before
