SUMMARY = "Linear regions, counted and drawn while networks train."
PLACE = 50
