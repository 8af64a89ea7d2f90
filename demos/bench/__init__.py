"""How long a training step takes, beside a loop written out by hand."""
