SELECT conversation, control_version, queued FROM queue_entries ORDER BY since, conversation
