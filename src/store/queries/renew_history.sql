-- Only the history that the caller has seen: of many that find the same, one renews it.
UPDATE meta SET history_epoch = $2 WHERE id = 1 AND history_epoch = $1
