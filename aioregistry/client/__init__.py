"""What a program holds: the client, and handles of registries and repositories."""
