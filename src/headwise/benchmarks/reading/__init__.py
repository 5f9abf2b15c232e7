"""Rows of a benchmark's data, from the Hub or from disk, and what their columns hold."""
