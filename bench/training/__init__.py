"""How one cell is trained: batches, device, costs, loop; `training.train` is the way in."""
