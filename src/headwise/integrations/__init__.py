"""Where headwise plugs into other frameworks; each module asks for its own package."""
