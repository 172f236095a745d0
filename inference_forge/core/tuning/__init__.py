"""Choosing a pack size from what a model said about the same tickets alone and in packs."""
