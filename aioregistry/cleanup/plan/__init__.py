"""From a policy and a registry to a plan, and a plan to a file."""
