"""A simulated upstream: what a chat API does, as a pure function of a plan and a clock."""
