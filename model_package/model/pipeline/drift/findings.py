"""What a check found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What is wrong with names: the check that found it, and a sentence with what, where, how many, and what to do."""

    check: str
    sentence: str
