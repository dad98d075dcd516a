"""The work of ``aioregistry usage``, and its options."""
