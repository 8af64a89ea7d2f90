SUMMARY = "Takes weights or neurons out of networks: what is left."
PLACE = 155
