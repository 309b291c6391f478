SELECT reason, placed_by, placed_at FROM legal_holds WHERE customer = $1
