"""Where settings come from: flags, environment, configuration, doctl."""
