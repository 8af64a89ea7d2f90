SUMMARY = "Exercises: write the engine, and be told which mistake."
PLACE = 6
