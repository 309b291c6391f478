SELECT turn, attempt, outcome, ended_seq FROM turns WHERE conversation = $1 ORDER BY turn
