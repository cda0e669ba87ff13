"""Bulk scoring: a table of any length to the same table with the labels of each name, in parts that survive a kill."""
