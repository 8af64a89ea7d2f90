SUMMARY = "How fast a step is, beside the device's limit and others."
PLACE = 190
