"""The page that shows how good a calibration is."""
