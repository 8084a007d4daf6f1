"""What fusion is worth: the metrics that judge it, the baselines it has to beat, the tables."""
