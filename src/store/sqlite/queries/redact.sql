-- A redacted body in place of the body; link and commitment stay, so that the chain goes on.
UPDATE entries SET body = $3, salt = NULL, erased = 1 WHERE conversation = $1 AND seq = $2
