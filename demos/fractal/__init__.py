SUMMARY = "Fractals: built exactly, and what depth learns of them."
PLACE = 60
