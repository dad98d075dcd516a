"""Peers side by side: ``python -m benchmarks`` measures and writes ``RESULTS.md``."""
