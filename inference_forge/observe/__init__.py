"""Observers that are no terminal."""
