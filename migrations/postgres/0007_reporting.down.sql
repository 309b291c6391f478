DROP VIEW reporting.audit_log;

-- A text may hold the character NUL, which Postgres cannot show: it is shown as the replacement character. Only an
-- escape counts, not a backslash that was said, which stands doubled in the stored form.
CREATE OR REPLACE VIEW reporting.messages AS
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
