-- Words of what people and the model have said, so that staff can search. Nothing is filled here: servers do it, some
-- conversations at a time, for what was stored before this step and for what is said from now on. How far they are
-- stands in `searched_seq`; a server that does not know it yet leaves it behind, and others catch up.
--
-- On a table of many million conversations the last index takes a while, during which nothing is appended. Make it by
-- hand before: the ALTER TABLE below, then this CREATE INDEX with CONCURRENTLY.

CREATE TABLE search (
    conversation uuid     NOT NULL,
    seq          bigint   NOT NULL,
    at           bigint   NOT NULL,
    words        tsvector NOT NULL,
    PRIMARY KEY (conversation, seq)
);

CREATE INDEX search_words ON search USING gin (words);
CREATE INDEX search_at ON search (at, conversation, seq);

ALTER TABLE conversations ADD COLUMN IF NOT EXISTS searched_seq bigint NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS conversations_unsearched ON conversations (id) WHERE searched_seq < last_seq;
