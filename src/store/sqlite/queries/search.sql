-- Newest first: the full-text index yields its rows in this order and stops at the limit.
SELECT s.conversation, s.seq, e.at, e.body
FROM search_words
JOIN search AS s ON s.id = search_words.rowid
JOIN entries AS e ON e.conversation = s.conversation AND e.seq = s.seq
WHERE search_words MATCH $1 AND search_words.rowid < $2
ORDER BY search_words.rowid DESC
LIMIT $3
