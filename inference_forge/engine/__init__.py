"""All the awaiting; knows the ports, never an adapter."""
