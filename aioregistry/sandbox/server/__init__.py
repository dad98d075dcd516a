"""The sandbox's server: how answers go out, with limits and faults."""
