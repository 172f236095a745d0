"""A page about one run, made of the lines of its events."""
