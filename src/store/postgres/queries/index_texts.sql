INSERT INTO search (conversation, seq, at, words)
SELECT t.conversation, t.seq, t.at, array_to_tsvector(string_to_array(t.words, ' '))
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[]) AS t (conversation, seq, at, words)
ON CONFLICT DO NOTHING
