"""From a finished cell to a folder that ships: weights, folds, proof, record, card, hub."""
