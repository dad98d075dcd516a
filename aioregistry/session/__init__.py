"""One request, from its permit to its answer."""
