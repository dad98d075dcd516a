"""The lists of a registry's repositories, remembered between runs."""
