"""`scratchnet prune`: what is left of a network when weights or neurons are taken out?"""

SUMMARY = "Takes weights or neurons out of networks: what is left."
PLACE = 155
