"""Joules: which sensor this machine offers, what it counts, and whose tokens they were."""
