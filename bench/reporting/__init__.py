"""Results and facts as words, tables and charts; `reporting.report` is the way in."""
