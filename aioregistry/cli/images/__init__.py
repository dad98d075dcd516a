"""The work of the commands on one image: ``inspect``, ``tag``, ``untag``, ``copy``."""
