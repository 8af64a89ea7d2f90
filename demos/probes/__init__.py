"""`scratchnet probes`: what each layer of a deep network makes of its inputs."""

SUMMARY = "What each layer of a deep network makes of its inputs."
PLACE = 110
