"""`scratchnet spiral`: what depth does on two spirals, and why."""
