"""`headwise serve`: several artifacts on one shared engine, over HTTP."""
