SELECT history_epoch FROM meta
