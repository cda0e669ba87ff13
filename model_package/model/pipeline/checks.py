"""What `validate` refuses: names that would poison a model, by what they change against those before them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from model.data.corpus import Reading
from model.data.dataset import Dataset
from model.data.label_folder import read_folder
from model.data.manifest import Manifest
from model.data.snapshots import read_manifest
from model.data.splitting import split_corpus
from model.pipeline.drift.change import Change, Names, read_names
from model.pipeline.drift.findings import Finding
from model.pipeline.drift.incumbent import Incumbent
from model.pipeline.drift.label_mix import check_labels, check_mix, check_new_labels
from model.pipeline.drift.labelling import check_labelling, check_relabelled
from model.pipeline.drift.leakage import check_leakage
from model.pipeline.drift.source import check_source
from model.pipeline.drift.spam import check_spam
from model.pipeline.job import Job, Source
from model.pipeline.runs import Run, Status

_OF_CHAMPION = "the champion was trained on"


def check_names(job: Job, source: Source, *, accepted: bool) -> list[Finding]:
    """Return what is wrong with names, against those before them and the champion with its own.

    Raises:
        DataError: they cannot be trained on at all.
        BundleError: the champion is damaged.
    """
    as_is = accepted or source.manifest is not None
    corpus = job.corpus(source.names, Reading(as_is, skip_small=True, ranked=job.settings.training.ranked))
    champion = job.store.champion()
    incumbent = Incumbent.load(job.store.folder(champion)) if champion else None
    change = _find_change(job, source, incumbent)
    findings = [*check_source(change), *check_labels(change)]
    if not change.has_before:
        return findings
    split = split_corpus(corpus, job.settings.training.seed)
    findings += [*_check_mixes(change, incumbent), *check_new_labels(change), *check_spam(change, incumbent)]
    findings += [*check_relabelled(change), *check_leakage(change, split)]
    if incumbent:
        findings += check_labelling(change, incumbent, _held_out(change, split.test, incumbent))
    return findings


def _find_change(job: Job, source: Source, incumbent: Incumbent | None) -> Change:
    """Return the change since the last names that were judged; of a plain folder, since the champion was trained."""
    if source.manifest:
        before = read_names(_last_judged(job, source.manifest))
        return Change(before, read_names(source.names.parent), source.manifest)
    after = read_folder(source.names, as_is=True).names
    return Change(_unspelled(incumbent.trained if incumbent else {}), _unspelled(after))


def _unspelled(names: Mapping[str, Iterable[str]]) -> Names:
    return {label: dict.fromkeys(of_label, "") for label, of_label in names.items()}


def _last_judged(job: Job, manifest: Manifest) -> Path | None:
    """Return the nearest snapshot before this one that a run judged; where none is, the one before it."""
    judged = {name for run in (*job.past, job.run) for name in _judged_by(run)}
    name = manifest.parent
    while name and name not in judged:
        name = read_manifest(job.locate(name)).parent
    name = name or manifest.parent
    return job.locate(name) if name else None


def _judged_by(run: Run) -> Iterator[str]:
    ingest, validate = run.result("ingest"), run.result("validate")
    if ingest and (validate is None or validate.status is Status.DONE):
        yield from (drop["snapshot"] for drop in ingest.facts.get("drops", ()) if drop["snapshot"])
    if validate and validate.status is Status.DONE and validate.facts["snapshot"]:
        yield validate.facts["snapshot"]


def _check_mixes(change: Change, incumbent: Incumbent | None) -> list[Finding]:
    """Compare the labels' numbers with those before or, if nothing is wrong there, with the champion's."""
    counts, before = ({label: len(names) for label, names in part.items()} for part in (change.after, change.before))
    if found := list(check_mix(counts, before, "the last snapshot has" if change.manifest else _OF_CHAMPION)):
        return found
    trained = {label: len(names) for label, names in incumbent.trained.items()} if incumbent else {}
    return list(check_mix(counts, trained, _OF_CHAMPION))


def _held_out(change: Change, test: Dataset, incumbent: Incumbent) -> list[tuple[str, str]]:
    """Return labels and names of the test part that were there before, and that the champion did not train on."""
    pairs = zip((test.labels[i] for i in test.label_ids.tolist()), test.names, strict=True)
    return [
        (label, name)
        for label, name in pairs
        if name in change.before.get(label, ()) and name not in incumbent.seen and label in incumbent.label_ids
    ]
