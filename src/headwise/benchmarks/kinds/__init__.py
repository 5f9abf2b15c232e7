"""Benchmarks of one kind that differ in their headers only."""
