-- Views for people with SQL. Tables change with the versions; these stay as they are: docs/SQL.md describes them, and a
-- test holds their columns. They lie in a schema of their own, so that a role can be given them and nothing else.
CREATE SCHEMA reporting;

CREATE VIEW reporting.conversations AS
SELECT c.id                                     AS conversation_id,
       c.customer                               AS customer_id,
       c.language,
       to_timestamp(c.opened_at / 1000.0)       AS opened_at,
       to_timestamp(c.closed_at / 1000.0)       AS closed_at,
       c.control::json ->> 'state'              AS answered_by,
       (c.control::json ->> 'id')::uuid         AS agent_id,
       to_timestamp(q.since / 1000.0)           AS waiting_since,
       c.last_seq                               AS last_position
FROM conversations AS c
LEFT JOIN queue_entries AS q ON q.conversation = c.id;

-- A text may hold the character NUL, which Postgres cannot show: it is shown as the replacement character. Only an
-- escape counts, not a backslash that was said, which stands doubled in the stored form.
CREATE VIEW reporting.messages AS
SELECT e.conversation                                         AS conversation_id,
       e.seq                                                  AS position,
       to_timestamp(e.at / 1000.0)                            AS said_at,
       coalesce(b.body #>> '{author,role}', 'assistant')      AS author_role,
       (b.body #>> '{author,id}')::uuid                       AS author_id,
       b.body #>> '{author,name}'                             AS author_name,
       b.body ->> 'text'                                      AS text,
       b.body ->> 'outcome'                                   AS reply_outcome
FROM entries AS e
CROSS JOIN LATERAL (
    SELECT CASE
               WHEN position('\u0000' IN e.body) = 0 THEN e.body
               ELSE regexp_replace(e.body, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')
           END::json AS body
) AS b
WHERE e.kind = 'message_said' OR (e.kind = 'turn_ended' AND b.body ->> 'text' IS DISTINCT FROM '');
