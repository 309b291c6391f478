-- Customers who wait for an answer of an agent, and which agents are connected where, so that a customer whose agent is gone
-- goes back to the queue.
--
-- The locks are waited for shortly, so that nobody waits for long behind this; the step is then tried again. The index is
-- made by reading the whole table. If that is too long to lock out whoever writes, do it by hand before: the first ALTER
-- TABLE below, then this CREATE INDEX with CONCURRENTLY.
SET LOCAL lock_timeout = '2s';

LOCK TABLE conversations, members IN ACCESS EXCLUSIVE MODE;

-- The agent who has the conversation and owes an answer. A program of before this step neither writes nor reads it: what
-- stands here may then be old, and the conversation itself decides.
ALTER TABLE conversations ADD COLUMN IF NOT EXISTS owed_by uuid;

CREATE INDEX IF NOT EXISTS conversations_owed ON conversations (owed_by) WHERE owed_by IS NOT NULL;

-- Of the staff, who has a socket open at this member. Null: it does not say, so anybody may be connected to it.
ALTER TABLE members ADD COLUMN agents uuid[];
