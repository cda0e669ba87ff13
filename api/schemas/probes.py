"""Bodies of the probes."""

from pydantic import BaseModel


class Status(BaseModel):
    """The answer of a probe."""

    status: str
