"""Commands of a store: history, promote, rollback."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from model.commands.data_folder import find_names
from model.commands.terminal import DEFAULT_STORE, DataFolder, MlflowOption, StoreArgument, StoreOption, console

if TYPE_CHECKING:
    from model.evaluation.comparison import Criterion
    from model.registry.store import Store

_TEST_METRICS = ("accuracy", "macro_f1", "expected_calibration_error")


def history(
    store: StoreArgument = DEFAULT_STORE,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Print every version in a store: when, of which data, how good, and which is champion or challenger."""
    from model.errors import StoreError
    from model.registry.store import Store

    kept = Store(store)
    kept.check_exists()
    rows, damaged = _history_rows(kept), kept.damaged()
    if not rows and not damaged:
        raise StoreError(f"{store} holds no versions; train adds them.")
    if as_json:
        typer.echo(json.dumps({"versions": rows, "damaged": damaged}, indent=1, ensure_ascii=False))
        return
    table = Table("version", "created", "data", "names", "net", "top-1", "macro F1", "ECE", box=None)
    for row in rows:
        metrics = (f"{row[key]:.3f}" if key in row else "" for key in _TEST_METRICS)
        version, created = f"{row['version']}\n{row['role']}", row["created_at"][:16].replace("T", "\n")
        table.add_row(version, created, row["data"][:8], str(row["names"]), row["architecture"], *metrics)
    console.print(table)
    for sentence in damaged.values():
        console.print(f"damaged: {sentence}")


def promote(
    data: DataFolder,
    version: Annotated[str | None, typer.Argument(help="Which version; the challenger if left out.")] = None,
    store: StoreOption = DEFAULT_STORE,
    mlflow: MlflowOption = None,
) -> None:
    """Compare a version with the champion on held-out names of its data; make it champion if it is no worse."""
    from model.artifacts import read_metadata
    from model.data.corpus import Reading, load_corpus
    from model.errors import GateError, StoreError
    from model.pipeline.judging import judge
    from model.registry import tracking
    from model.registry.store import Store

    if mlflow:
        tracking.check_installed()
    kept = Store(store)
    kept.check_exists()
    version = version or kept.challenger()
    if version is None:
        raise StoreError(f"{store} has no challenger: nothing was added since the last promotion; name a version.")
    if version == kept.champion():
        raise StoreError(f"{version} is the champion already.")
    reading = Reading.of_bundle(read_metadata(kept.folder(version)).training)
    verdict = judge(kept, version, load_corpus(find_names(data)[0], reading))
    console.print(_criteria_table(verdict.criteria))
    if verdict.failure:
        kept.refuse(version, verdict.failure, gate=verdict.gate)
        raise GateError(f"{version} is not promoted: {verdict.failure}.")
    kept.promote(version, instead_of=verdict.champion, gate=verdict.gate)
    console.print(f"{version} is champion" + (f" instead of {verdict.champion}." if verdict.champion else "."))
    if mlflow:
        tracking.record(kept, mlflow)


def rollback(store: StoreOption = DEFAULT_STORE, mlflow: MlflowOption = None) -> None:
    """Make the champion before this one champion again."""
    from model.registry import tracking
    from model.registry.store import Store

    if mlflow:
        tracking.check_installed()
    kept = Store(store)
    console.print(f"{kept.rollback()} is champion again.")
    if mlflow:
        tracking.record(kept, mlflow)


def _history_rows(store: "Store") -> list[dict[str, Any]]:
    roles = {store.challenger(): "challenger", store.champion(): "champion"}
    return [
        {
            "version": metadata.version,
            "created_at": metadata.created_at.isoformat(),
            "data": metadata.data.fingerprint,
            "names": metadata.data.names,
            "architecture": metadata.architecture,
            **{key: value for key, value in metadata.metrics.get("test", {}).items() if key in _TEST_METRICS},
            "role": roles.get(metadata.version, ""),
        }
        for metadata in store.versions()
    ]


def _criteria_table(criteria: Sequence["Criterion"]) -> Table:
    from model.evaluation.comparison import format_value

    table = Table("criterion", "champion", "challenger", "limit", "passed")
    for criterion in criteria:
        champion = "" if criterion.champion is None else format_value(criterion.champion)
        bound = ("≥ " if criterion.at_least else "≤ ") + format_value(criterion.limit)
        table.add_row(
            criterion.name, champion, format_value(criterion.challenger), bound, "yes" if criterion.passed else "NO"
        )
    return table
