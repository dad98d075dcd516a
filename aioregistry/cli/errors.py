"""Errors that end a command with exit code 2."""

__all__ = ["UsageError"]


class UsageError(ValueError):
    """An argument, option, file or setting cannot be used; the text says which, and why."""
