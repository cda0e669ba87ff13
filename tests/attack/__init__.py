"""Attacks on a running service, over its port alone."""
