"""What `validate` refuses: names that would poison a model."""

from dataclasses import dataclass

from model.data.corpus import Reading
from model.pipeline.job import Job, Source


@dataclass(frozen=True)
class Finding:
    """What is wrong with the names: the check that found it, and a sentence with what, where, how many, what to do."""

    check: str
    sentence: str


def check_names(job: Job, names: Source, *, accepted: bool) -> list[Finding]:
    """Return what is wrong with names, against those before them and the champion's.

    Raises:
        DataError: they cannot be trained on at all.
    """
    as_is = accepted or names.manifest is not None
    job.corpus(names.names, Reading(as_is, skip_small=True, ranked=job.settings.training.ranked))
    return []
