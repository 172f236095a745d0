"""Hosted and self-hosted models behind HTTP."""
