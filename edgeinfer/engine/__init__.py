"""Tokens: sequences, their schedule, and the native library that computes them."""
