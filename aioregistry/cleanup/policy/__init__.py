"""What a policy says: rules, ages, patterns, releases, and the files that hold them."""
