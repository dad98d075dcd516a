"""The work of the commands on one image: ``tag``, ``untag``, ``copy``."""
