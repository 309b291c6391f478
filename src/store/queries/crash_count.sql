SELECT count(*) FROM crashes WHERE conversation = $1 AND at > $2
