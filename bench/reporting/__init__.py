"""How a run's results and facts become words, tables and charts; `bench.report` is the way in."""
