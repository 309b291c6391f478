-- Conversations that somebody should be at work on, and nobody is; a row for each reason. $1: what was due by then, in ms,
-- was due for long enough. $2: at most so many.
SELECT f.id, f.why, c.owner, m.name, c.turn_seq, c.next_deadline
FROM (
    -- Timers and turns are looked for twice a second by their owner, or by anybody if it is dead or there is none; and one
    -- that was looked at has another deadline, or none.
    SELECT id, CASE WHEN turn_seq IS NULL THEN 'timer_overdue' ELSE 'turn_overdue' END AS why
    FROM conversations
    WHERE next_deadline <= $1
    UNION ALL
    -- A turn ends in time because of its deadline: without one it may stay open for ever.
    SELECT id, 'turn_without_deadline'
    FROM conversations
    WHERE turn_seq IS NOT NULL AND next_deadline IS NULL
    UNION ALL
    -- Every conversation that is not closed has a timer: whoever waits is told so again, silence is closed.
    SELECT id, CASE WHEN control = '{"state":"queue"}' THEN 'wait_without_timer' ELSE 'without_timer' END
    FROM conversations
    WHERE closed_at IS NULL AND next_deadline IS NULL AND turn_seq IS NULL
    UNION ALL
    -- Desks show what is in their table: who is not there is seen by nobody who could answer.
    SELECT id, 'wait_not_listed'
    FROM conversations AS waiting
    WHERE closed_at IS NULL
      AND control = '{"state":"queue"}'
      AND NOT EXISTS (SELECT 1 FROM queue_entries AS q WHERE q.conversation = waiting.id)
    UNION ALL
    -- The reverse: agents are shown a wait that is over, or that belongs to no conversation, and cannot claim it.
    SELECT q.conversation, 'listed_without_wait'
    FROM queue_entries AS q
    WHERE NOT EXISTS (SELECT 1 FROM conversations AS waiting
                      WHERE waiting.id = q.conversation AND waiting.control = '{"state":"queue"}')
) AS f
LEFT JOIN conversations AS c ON c.id = f.id
LEFT JOIN members AS m ON m.incarnation = c.owner AND m.state = 'live'
ORDER BY c.next_deadline NULLS FIRST, f.id, f.why
LIMIT $2
