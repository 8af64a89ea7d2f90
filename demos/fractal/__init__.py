"""`scratchnet fractal`: what does depth represent of a fractal, and what does it learn?"""

SUMMARY = "Fractals: built exactly, and what depth learns of them."
PLACE = 60
