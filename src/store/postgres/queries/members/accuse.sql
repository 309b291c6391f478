-- Committed by itself: of two that accuse at once, the one that asks for a verdict last sees both.
INSERT INTO suspicions (suspect, observer, at)
SELECT $1, $2, clock_timestamp()
WHERE EXISTS (SELECT 1 FROM members WHERE incarnation = $2 AND state = 'live')
ON CONFLICT (suspect, observer) DO UPDATE SET at = excluded.at
