"""How fast a training step is: beside the peak, hand-written code and other libraries."""

SUMMARY = "How fast a step is, beside the device's limit and others."
PLACE = 190
