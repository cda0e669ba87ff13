"""What goes wrong with the request log on purpose: one sentence for a person, without a name or a password."""


class RequestLogError(Exception):
    """A database of the request log cannot be used, or a command cannot do what was asked."""
