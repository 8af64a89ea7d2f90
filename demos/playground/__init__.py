SUMMARY = "Train in the browser, and watch the linear regions form."
PLACE = 7
