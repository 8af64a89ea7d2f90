SUMMARY = "A network for your own table: trained, judged and saved."
PLACE = 170
