"""The verbs of the command line, one module a duty. Heavy imports stay inside the verbs."""
