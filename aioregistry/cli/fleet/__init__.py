"""The commands on a fleet of registries."""
