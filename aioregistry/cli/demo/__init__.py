"""The demonstration: its history, its run, its result."""
