"""The commands of the request log, a module each."""
