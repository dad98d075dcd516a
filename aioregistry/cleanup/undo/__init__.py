"""Putting back what a clean-up deleted, until the next garbage collection."""
