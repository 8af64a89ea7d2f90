"""How fast a training step is: beside the device, hand-written code, and other libraries."""
