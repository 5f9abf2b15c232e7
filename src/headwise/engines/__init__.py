"""Ways of running a frozen model behind one protocol."""
