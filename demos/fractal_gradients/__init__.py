"""`scratchnet fractal-gradients`: how fine distributions starve gradients at initialisation."""
