"""Docker's configuration file, and the credential helper."""
