SUMMARY = "Which array libraries work on this machine, and why not."
PLACE = 300
