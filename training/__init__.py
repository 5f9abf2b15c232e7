"""Scripts that trained what ships in the package; not part of the package."""
