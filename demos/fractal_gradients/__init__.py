SUMMARY = "Gradients on fractals before training, beside a bound."
PLACE = 70
