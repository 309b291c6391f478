-- What is stored of a conversation beside its log: everything that the log decides.
SELECT c.customer, c.language, c.last_seq, c.control, c.control_version, c.turn_seq, c.turn_attempt,
       c.closed_at IS NOT NULL, c.next_deadline, c.snapshot, c.snapshot_seq, q.control_version, q.queued
FROM conversations AS c
LEFT JOIN queue_entries AS q ON q.conversation = c.id
WHERE c.id = $1
