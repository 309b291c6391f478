DROP TABLE dead_letters;
DROP TABLE crashes;
DROP TABLE queue_entries;
DROP TABLE turns;
DROP TABLE entries;
DROP TABLE conversations;
DROP TABLE members;
DROP TABLE meta;
