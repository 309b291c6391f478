-- Words of what people and the model have said, so that staff can search; see ../postgres. `search_words` is a full-text
-- index that keeps no text. It returns rows by falling `id`, so the time of the entry is in it: at * 2^20 and a number.

CREATE TABLE search (
    id           INTEGER PRIMARY KEY,
    conversation BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    UNIQUE (conversation, seq)
) STRICT;

CREATE VIRTUAL TABLE search_words USING fts5 (
    words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);

CREATE TRIGGER search_deleted AFTER DELETE ON search BEGIN
    DELETE FROM search_words WHERE rowid = old.id;
END;

ALTER TABLE conversations ADD COLUMN searched_seq INTEGER NOT NULL DEFAULT 0;
CREATE INDEX conversations_unsearched ON conversations (id) WHERE searched_seq < last_seq;
