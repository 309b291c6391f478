INSERT INTO meta (id, history_epoch) VALUES (1, $1) ON CONFLICT DO NOTHING
