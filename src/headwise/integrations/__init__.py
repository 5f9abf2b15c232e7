"""Where headwise plugs into other frameworks; each guards its own extra."""
