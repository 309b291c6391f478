SELECT seq, participant, client_msg_id, commitment
FROM entries
WHERE conversation = $1 AND participant = $2 AND client_msg_id = $3
