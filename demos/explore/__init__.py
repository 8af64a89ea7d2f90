SUMMARY = "Depths 1 to 16 on data from easy to hard; what blocks add."
PLACE = 100
