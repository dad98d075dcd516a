"""What an apply writes down: what it began, what it deleted, what became of each item."""
