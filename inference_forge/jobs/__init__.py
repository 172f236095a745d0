"""What the commands other than `classify` do."""
