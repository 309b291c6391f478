-- Waits for whoever writes to the conversation, and keeps everybody else from it until this transaction ends. What the
-- transaction reads after this statement, in later ones, includes all that was written under earlier claims.
SELECT owner FROM conversations WHERE id = $1 FOR UPDATE
