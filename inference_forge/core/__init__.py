"""Decisions: pure functions and small state machines, with the clock and chance passed in."""
