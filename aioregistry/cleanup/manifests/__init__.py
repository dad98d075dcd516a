"""What a repository holds: its manifests, their contents, and what needs what."""
