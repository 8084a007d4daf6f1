"""Calibration targets: what they are, and how they are found in a picture."""
