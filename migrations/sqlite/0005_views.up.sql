-- Views for people with SQL, as in ../postgres. SQLite has no schemas, so their names begin with `reporting_`;
-- identifiers and times are text.
CREATE VIEW reporting_conversations AS
SELECT lower(substr(hex(c.id), 1, 8) || '-' || substr(hex(c.id), 9, 4) || '-' || substr(hex(c.id), 13, 4) || '-' ||
             substr(hex(c.id), 17, 4) || '-' || substr(hex(c.id), 21, 12))
           AS conversation_id,
       lower(substr(hex(c.customer), 1, 8) || '-' || substr(hex(c.customer), 9, 4) || '-' || substr(hex(c.customer), 13, 4) || '-' ||
             substr(hex(c.customer), 17, 4) || '-' || substr(hex(c.customer), 21, 12))
           AS customer_id,
       c.language AS language,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.opened_at / 1000.0, 'unixepoch') AS opened_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.closed_at / 1000.0, 'unixepoch') AS closed_at,
       json_extract(c.control, '$.state') AS answered_by,
       json_extract(c.control, '$.id') AS agent_id,
       strftime('%Y-%m-%dT%H:%M:%fZ', q.since / 1000.0, 'unixepoch') AS waiting_since,
       c.last_seq AS last_position
FROM conversations AS c
LEFT JOIN queue_entries AS q ON q.conversation = c.id;

CREATE VIEW reporting_messages AS
SELECT lower(substr(hex(e.conversation), 1, 8) || '-' || substr(hex(e.conversation), 9, 4) || '-' || substr(hex(e.conversation), 13, 4) || '-' ||
             substr(hex(e.conversation), 17, 4) || '-' || substr(hex(e.conversation), 21, 12))
           AS conversation_id,
       e.seq AS position,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.at / 1000.0, 'unixepoch') AS said_at,
       coalesce(json_extract(e.body, '$.author.role'), 'assistant') AS author_role,
       json_extract(e.body, '$.author.id') AS author_id,
       json_extract(e.body, '$.author.name') AS author_name,
       json_extract(e.body, '$.text') AS text,
       json_extract(e.body, '$.outcome') AS reply_outcome
FROM entries AS e
WHERE e.kind = 'message_said' OR (e.kind = 'turn_ended' AND json_extract(e.body, '$.text') IS NOT '');
