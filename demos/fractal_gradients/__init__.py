SUMMARY = "Why fine fractals are not learned: the initial gradients."
PLACE = 70
