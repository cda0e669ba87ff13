"""Endpoints: parse, delegate, return."""
