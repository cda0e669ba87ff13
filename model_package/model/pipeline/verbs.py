"""The verbs of the pipeline. Each may be killed at any moment and run again, and then ends as if it had not been."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from model.artifacts import BundleMetadata, read_bundle, read_metadata
from model.constants import FOLDERS_BESIDE
from model.data.corpus import Corpus
from model.data.ingest.ingestion import Ingested, Options
from model.data.ingest.ingestion import ingest as take
from model.data.ingest.sources import describe_location
from model.data.snapshots import lineage, newest_snapshot
from model.errors import BundleError, DataError, PipelineError
from model.pipeline.checks import check_names
from model.pipeline.drops import DroppedSource, find_drops, find_refusals, taken_hashes
from model.pipeline.evaluating import evaluate_bundle, split_trained
from model.pipeline.fitting import fit_bundle, identify
from model.pipeline.job import Job, Source, find_source
from model.pipeline.judging import judge
from model.pipeline.runs import Status
from model.prediction import Predictor
from model.training import Progress

_ADVICE = "Drop the mended source, or take it as it is with --accept REASON."


@dataclass(frozen=True)
class Outcome:
    """How a verb ended, why if it is not done, and what it found."""

    status: Status = Status.DONE
    reason: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def ingest(job: Job, _: Progress | None) -> Outcome:
    """Take what was dropped since the last run, as candidates; if nothing was, the newest names of the data.

    Raises:
        PipelineError: a drop changed while it was read, or cannot be read.
    """
    drops = _new_drops(job)
    if not drops:
        return _take_newest(job, [])
    base = newest_snapshot(job.settings.data)
    job.candidates.prepare()
    taken: list[dict[str, Any]] = []
    for drop in drops:
        try:
            ingested = _take(job, drop)
        except DataError as error:
            return Outcome(Status.REFUSED, str(error), {"refused_sha256": drop.sha256, "drops": taken})
        taken.append(_describe_drop(drop, ingested))
    if not any(drop["snapshot"] for drop in taken):
        return _take_newest(job, taken)
    source = find_source(job.candidates.folder)
    return Outcome(facts=_describe_source(job, source) | {"base": base.name if base else None, "drops": taken})


def validate(job: Job, _: Progress | None) -> Outcome:
    """Judge each drop against the names before it, and publish those that pass or that a person accepts.

    Raises:
        PipelineError: the candidates are gone, or the data got another snapshot; then `ingest` has to run again.
    """
    facts, accept, source = job.run.facts("ingest"), job.settings.accept, job.source()
    findings: list[dict[str, Any]] = []
    for names, sha256 in _unjudged(job, facts, source):
        try:
            found = check_names(job, names, accepted=accept is not None)
        except DataError as error:
            return Outcome(Status.REFUSED, str(error), {"refused_sha256": sha256, "findings": findings})
        findings += [asdict(finding) for finding in found]
        if found and accept is None:
            reason = " ".join([*(finding.sentence for finding in found), _ADVICE])
            return Outcome(Status.REFUSED, reason, {"refused_sha256": sha256, "findings": findings})
    corpus = job.judged_corpus()
    if candidates := [drop["snapshot"] for drop in facts["drops"] if drop["snapshot"]]:
        try:
            job.candidates.publish(candidates, facts["base"])
        except PipelineError as error:
            job.begin_again(str(error))
    return Outcome(
        facts={
            "snapshot": facts["snapshot"],
            "names": len(corpus.names),
            "labels": len(corpus.names.labels),
            "fingerprint": corpus.fingerprint(),
            "findings": findings,
            "accepted": accept if findings else None,
            "warnings": list(corpus.warnings),
        }
    )


def train(job: Job, progress: Progress | None) -> Outcome:
    """Train on the names that were judged, and add the bundle to the store."""
    source, corpus = job.source(), job.judged_corpus()
    if corpus.fingerprint() != job.run.facts("validate")["fingerprint"]:
        job.begin_again(f"{source.title} changed after it was validated")
    metadata = _fit(job, source, corpus, progress)
    kept = job.store.add(job.run.bundle)
    return Outcome(
        facts={
            "version": kept.version,
            "created_at": kept.created_at.isoformat(),
            "git_commit": metadata.git_commit,
            "data": metadata.data.model_dump(),
            "data_sha256": source.sha256,
            "settings": job.settings.describe_training(),
            "metrics": metadata.metrics,
        }
    )


def evaluate(job: Job, _: Progress | None) -> Outcome:
    """Evaluate the new version on its test names, over all and per label."""
    version = job.run.facts("train")["version"]
    predictor = Predictor.load(job.store.folder(version))
    evaluation = evaluate_bundle(predictor, split_trained(predictor, job.judged_corpus()))
    return Outcome(
        facts={
            "version": version,
            "metrics": asdict(evaluation.metrics),
            "labels": [asdict(row) for row in evaluation.labels],
        }
    )


def gate(job: Job, _: Progress | None) -> Outcome:
    """Compare the new version with the champion; a version that falls short is recorded in the ledger, once."""
    version = job.run.facts("train")["version"]
    if version == job.store.champion():
        return Outcome(Status.UNCHANGED, f"The weights are those of the champion, {version}.", {"version": version})
    verdict = judge(job.store, version, job.judged_corpus())
    facts = {"version": version, "champion": verdict.champion, "criteria": verdict.gate}
    if not verdict.failure:
        return Outcome(facts=facts)
    if not _is_recorded(job, version):
        reason = _with_acceptance(job, verdict.failure)
        job.store.refuse(version, reason or "", gate=verdict.gate)
    return Outcome(Status.REFUSED, f"{version} is not promoted: {verdict.failure}.", facts)


def promote(job: Job, _: Progress | None) -> Outcome:
    """Make the version that passed the gate champion.

    Raises:
        PipelineError: another became champion meanwhile; then the gate has to decide again.
    """
    facts = job.run.facts("gate")
    version, before = facts["version"], facts["champion"]
    champion = job.store.champion()
    if champion == version:  # a kill came between the promotion and its result
        job.store.finish_interrupted()
    elif champion != before:
        job.run.forget("gate")
        raise PipelineError(f"{champion} became champion meanwhile; the next try compares {version} with it.")
    else:
        reason = _with_acceptance(job, None)
        job.store.promote(version, instead_of=before, gate=facts["criteria"], reason=reason)
    return Outcome(facts={"version": version, "previous": before})


BY_NAME: Mapping[str, Callable[[Job, Progress | None], Outcome]] = {
    "ingest": ingest,
    "validate": validate,
    "train": train,
    "evaluate": evaluate,
    "gate": gate,
    "promote": promote,
}


def _new_drops(job: Job) -> list[DroppedSource]:
    """Return the drops that neither the data holds nor a run refused; those refused too if a person accepts."""
    if job.settings.drops is None:
        return []
    known = taken_hashes(list(lineage(job.settings.data)), job.past)
    if job.settings.accept is None:
        known |= find_refusals(job.past).keys()
    found = {drop.sha256: drop for drop in find_drops(job.settings.drops) if drop.sha256 not in known}
    return list(found.values())


def _take(job: Job, drop: DroppedSource) -> Ingested:
    """Take a drop as a candidate. Raises DataError if it cannot be taken."""
    if drop.path.name in FOLDERS_BESIDE:
        raise DataError(f"{drop.path} goes with lists: put it beside a folder of them, as names/<Label>.txt.")
    return take(str(drop.path), job.candidates.folder, Options(job.settings.columns, replace=job.settings.replace))


def _take_newest(job: Job, drops: list[dict[str, Any]]) -> Outcome:
    """Return that the names that are there are to be trained on or, if they were already, that nothing is new."""
    data = job.settings.data
    if job.settings.drops is not None and newest_snapshot(data) is None:
        return Outcome(Status.UNCHANGED, f"{job.settings.drops} holds nothing new to take.", {"drops": drops})
    source = find_source(data)
    facts = _describe_source(job, source) | {"base": None, "drops": drops}
    settings = job.settings.describe_training()
    for run in reversed(job.past):
        trained = run.result("train")
        if trained and (trained.facts["data_sha256"], trained.facts["settings"]) == (source.sha256, settings):
            return Outcome(Status.UNCHANGED, f"Nothing new: run {run.id} trained on {source.title}.", facts)
    refusal = find_refusals(job.past).get(source.sha256)
    if refusal and job.settings.accept is None:
        reason = f"Nothing new: run {refusal.run} refused {source.title}: {refusal.reason}"
        return Outcome(Status.UNCHANGED, reason, facts)
    return Outcome(facts=facts)


def _describe_drop(drop: DroppedSource, ingested: Ingested) -> dict[str, Any]:
    """Return what a result keeps of a drop. Raises PipelineError if it changed while it was read."""
    read = ingested.drop
    if read and drop.path.is_file() and read.record.sha256 != drop.sha256:
        raise PipelineError(f"{drop.path} changed while it was read; the next try takes it again.")
    manifest = ingested.manifest if ingested.is_new else None
    return {
        "location": describe_location(str(drop.path)),
        "sha256": drop.sha256,
        "snapshot": manifest.snapshot if manifest else None,
        "rows": read.names.rows if read else 0,
        "added": manifest.added if manifest else 0,
        "known": manifest.known if manifest else 0,
        "repeated": manifest.repeated if manifest else 0,
        "refused": {reason: refused.model_dump() for reason, refused in read.refused().items()} if read else {},
        "notes": list(read.record.notes) if read else [],
    }


def _describe_source(job: Job, source: Source) -> dict[str, Any]:
    return {
        "data": str(job.settings.data.resolve()),
        "snapshot": source.manifest.snapshot if source.manifest else None,
        "data_sha256": source.sha256,
    }


def _unjudged(job: Job, facts: Mapping[str, Any], source: Source) -> list[tuple[Source, str]]:
    """Return the names to judge, each with the hash of what would be refused: the drop, or the names themselves."""
    dropped = [
        (find_source(job.locate(drop["snapshot"])), drop["sha256"]) for drop in facts["drops"] if drop["snapshot"]
    ]
    return dropped or [(source, source.sha256)]


def _fit(job: Job, source: Source, corpus: Corpus, progress: Progress | None) -> BundleMetadata:
    """Return the metadata of the run's bundle, which is trained unless it stands there whole already."""
    settings = job.settings
    identity = identify(corpus, settings.training.seed, source.names, source.manifest)
    try:
        standing = read_bundle(job.run.bundle).metadata
    except BundleError:
        standing = None
    if standing and standing.data == identity:
        return standing
    fit_bundle(job.run.bundle, corpus, identity, settings.shape, settings.training, progress=progress)
    return read_metadata(job.run.bundle)


def _is_recorded(job: Job, version: str) -> bool:
    """Tell whether the ledger has the refusal already, by this run that was killed behind it."""
    begun = job.run.results()[0].started_at.replace(microsecond=0)
    return any(
        entry.event == "refused" and entry.version == version and entry.time >= begun for entry in job.store.history()
    )


def _with_acceptance(job: Job, reason: str | None) -> str | None:
    """Return a reason for the ledger, with the words by which a person accepted the data, if one did."""
    accepted = job.run.facts("validate")["accepted"]
    return "; ".join(filter(None, (reason, accepted and f"data accepted: {accepted}"))) or None
