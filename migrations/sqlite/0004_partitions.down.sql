-- Nothing: SQLite has no partitions. ../postgres says what they are for.
SELECT 1;
