DROP VIEW reporting_audit_log;

DROP VIEW reporting_messages;

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
