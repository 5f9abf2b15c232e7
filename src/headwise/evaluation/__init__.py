"""How good a method is, how sure that is, and the page that says so."""
