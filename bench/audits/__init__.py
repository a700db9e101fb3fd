"""One file an audit: a METRICS table and a pure function of predictions."""
