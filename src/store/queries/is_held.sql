SELECT EXISTS (SELECT 1 FROM legal_holds WHERE customer = $1)
