"""One file a data source; each has `load(**options) -> Task`."""
