"""`scratchnet probes`: what each layer of a deep network has made of its inputs."""
