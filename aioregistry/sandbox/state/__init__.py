"""The sandbox's account: its content, and the changes to it."""
