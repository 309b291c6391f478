-- Conversations whose newest texts are not searchable yet, newest first.
SELECT id, searched_seq, last_seq FROM conversations WHERE searched_seq < last_seq ORDER BY id DESC LIMIT CAST($1 AS bigint)
