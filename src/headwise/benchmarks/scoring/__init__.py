"""The rules by which benchmarks turn what a method gave into figures, one a file."""
