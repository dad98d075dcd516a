"""What a program uses: the client, and handles of registries and repositories."""
