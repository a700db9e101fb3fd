"""How a run and its baseline become verdicts; `gating.gate` is the way in."""
