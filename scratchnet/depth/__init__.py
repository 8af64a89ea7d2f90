"""What depth buys: circuits, folds, linear regions."""
