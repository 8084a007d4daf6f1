"""Calibration of a rig: lenses, the way from infrared to visible, and how far to trust both.

A workshop: it writes calibration files, which ``edge_sdk`` reads. In a checkout this package is
``calibration``; the wheel carries it as ``edge_sdk_calibration``, so that it takes no common name
on a robot. Hence modules in here import each other relatively.
"""
