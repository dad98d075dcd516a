"""Walks over lists that move while they are read."""
