"""The work of ``aioregistry deploy``: what lets a clean-up run by itself, as files."""
