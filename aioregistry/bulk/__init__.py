"""Many deletes at once, and an outcome for each."""
