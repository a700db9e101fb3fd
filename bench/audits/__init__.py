"""One file an audit: declared metrics and pure functions of predictions."""
