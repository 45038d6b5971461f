"""Training, calibration and evaluation; the pipeline never imports it."""
