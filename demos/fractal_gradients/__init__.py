"""`scratchnet fractal-gradients`: how large are gradients on fractals before training?"""

SUMMARY = "Why fine fractals are not learned: the initial gradients."
PLACE = 70
