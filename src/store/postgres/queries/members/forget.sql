-- Accusations that count no more. $1: for so many ms they do.
DELETE FROM suspicions WHERE at < now() - $1 * interval '1 ms'
