"""The sandbox's server: sockets, limits and faults."""
