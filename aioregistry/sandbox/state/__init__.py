"""What the sandbox's registry holds, and what changes it."""
