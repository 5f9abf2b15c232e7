"""Which heads: selectors that choose a few heads from a handful of examples."""
