"""What the sandbox answers to each call."""
