"""Inference Forge: classify a ticket export with any language model."""
