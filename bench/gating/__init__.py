"""How a run and its baseline become verdicts; `bench.gate` is the way in."""
