-- The view of the record of acts, and messages that show what was erased, as in ../postgres.
CREATE VIEW reporting_audit_log AS
SELECT lower(substr(hex(a.chain), 1, 8) || '-' || substr(hex(a.chain), 9, 4) || '-' || substr(hex(a.chain), 13, 4) || '-' ||
             substr(hex(a.chain), 17, 4) || '-' || substr(hex(a.chain), 21, 12))
           AS process_id,
       a.n AS number,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.at / 1000.0, 'unixepoch') AS at,
       a.actor AS actor_id,
       a.actor_role AS actor_role,
       a.action AS action,
       CASE WHEN a.conversation IS NOT NULL THEN
             lower(substr(hex(a.conversation), 1, 8) || '-' || substr(hex(a.conversation), 9, 4) || '-' || substr(hex(a.conversation), 13, 4) || '-' ||
             substr(hex(a.conversation), 17, 4) || '-' || substr(hex(a.conversation), 21, 12)) END
           AS conversation_id,
       a.detail AS detail
FROM audit_log AS a;

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
       CASE WHEN NOT e.erased THEN json_extract(e.body, '$.text') END AS text,
       json_extract(e.body, '$.outcome') AS reply_outcome
FROM entries AS e
WHERE e.kind = 'message_said' OR (e.kind = 'turn_ended' AND (e.erased OR json_extract(e.body, '$.text') IS NOT ''));
