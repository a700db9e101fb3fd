"""How one cell is trained: batches, device, costs, pace, loop; `bench.train` is the way in."""
