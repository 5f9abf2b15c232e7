"""The evidence behind docs/results.md: every claim that can be tested at this size."""
