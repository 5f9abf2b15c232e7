"""Measurements: quality on data given as an argument, and speed as ratios within one run."""
