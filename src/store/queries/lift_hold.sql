DELETE FROM legal_holds WHERE customer = $1
