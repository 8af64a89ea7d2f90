"""What is left of a trained network's accuracy when weights or neurons are taken out."""
