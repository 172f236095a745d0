"""Several tickets in one request: what is asked, in which groups, and how answers are read."""
