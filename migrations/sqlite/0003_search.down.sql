DROP INDEX conversations_unsearched;
ALTER TABLE conversations DROP COLUMN searched_seq;
DROP TRIGGER search_deleted;
DROP TABLE search_words;
DROP TABLE search;
