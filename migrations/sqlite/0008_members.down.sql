ALTER TABLE members DROP COLUMN release;
ALTER TABLE members DROP COLUMN role;
ALTER TABLE members DROP COLUMN address;
ALTER TABLE members DROP COLUMN standing;
