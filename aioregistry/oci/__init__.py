"""The registry itself, by the OCI distribution protocol."""
