DROP INDEX conversations_unsearched;
ALTER TABLE conversations DROP COLUMN searched_seq;
DROP TABLE search;
