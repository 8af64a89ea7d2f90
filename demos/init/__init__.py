SUMMARY = "How large initial weights must be, and what else happens."
PLACE = 80
