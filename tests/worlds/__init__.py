"""Clean-ups of random registries in worlds that move: a server and an oracle of their own."""
