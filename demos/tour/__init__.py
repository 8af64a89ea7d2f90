SUMMARY = "Ten screens: predict, run, read the lines that did it."
PLACE = 5
