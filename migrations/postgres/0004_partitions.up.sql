-- What grows with the log is partitioned by range of the conversation's identifier, a version 7 UUID: by month of
-- creation. A month that holds nothing any more is dropped as a whole, and the indexes that are written to stay small.
--
-- Nothing is copied or scanned, however large the tables are: the table of before becomes the DEFAULT partition of a new
-- one of its name, with its indexes, which are equal. `onya maintain` makes partitions for months to come; rows for
-- which there is none lie in the default, where they are as good. For a month of which the default holds rows there must
-- never be a partition. Unique keys begin with the conversation, so they hold over all partitions as before.
--
-- The locks are waited for shortly, so that nobody waits for long behind this; the step is then tried again.
SET LOCAL lock_timeout = '2s';

LOCK TABLE entries, turns IN ACCESS EXCLUSIVE MODE;

ALTER TABLE entries RENAME TO entries_default;
CREATE TABLE entries (LIKE entries_default INCLUDING ALL) PARTITION BY RANGE (conversation);
ALTER TABLE entries ATTACH PARTITION entries_default DEFAULT;

ALTER TABLE turns RENAME TO turns_default;
CREATE TABLE turns (LIKE turns_default INCLUDING ALL) PARTITION BY RANGE (conversation);
ALTER TABLE turns ATTACH PARTITION turns_default DEFAULT;
