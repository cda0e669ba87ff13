"""Take a source into a folder of snapshots: read, clean, merge with the newest snapshot, write the next one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from model.constants import GIVEN_FOLDER, OUTLIER_FOLDER, VARIANT_FOLDER
from model.data.ingest.cleaning import Cleaned, Refusals, clean_rows, clean_strings, clean_variants
from model.data.ingest.kinds import detect_kind
from model.data.ingest.label_lists import find_folder, find_lists, read_lists
from model.data.ingest.sources import describe_location, hash_file, hash_files, local_path
from model.data.ingest.tables import Columns, open_table
from model.data.ingest.text import AS_A_GUESS, GUESSES, check_encoding, ends_with_line
from model.data.manifest import LabelCount, Manifest, Refused, SourceRecord
from model.data.snapshots import (
    NAMES_FOLDER,
    hash_bytes,
    lineage,
    name_snapshot,
    newest_snapshot,
    read_manifest,
    read_parts,
    resolve_data,
    write_snapshot,
    writing,
)
from model.errors import DataError
from model.files import as_text
from model.utils import fold, normalize

Labels = dict[str, dict[str, str]]
"""The spelling of each name by label and folded form, most common first."""

_FOLDER_KIND = "folder of <Label>.txt"


@dataclass(frozen=True)
class Options:
    """How to read a source, and whether it stands for what is there instead of adding to it."""

    columns: Columns = field(default_factory=Columns)
    as_is: bool = False
    replace: bool = False


@dataclass(frozen=True)
class Drop:
    """What a source holds."""

    record: SourceRecord
    parts: dict[str, Cleaned]

    @property
    def names(self) -> Cleaned:
        """The names, without what stands beside them."""
        return self.parts[NAMES_FOLDER]

    def refused(self) -> dict[str, Refused]:
        """Return what was refused of the names and of what stands beside them."""
        refusals = Refusals()
        for part, cleaned in self.parts.items():
            refusals.extend(cleaned.refusals, "" if part == NAMES_FOLDER else f"{part}/")
        return refusals.records()


@dataclass(frozen=True)
class Ingested:
    """The snapshot that holds the source now; of a source that brings nothing new, the one that holds it already."""

    snapshot: Path
    manifest: Manifest
    is_new: bool
    drop: Drop | None = None
    """What was read; None if the source was known by its hash."""


def ingest(source: str, data: Path, options: Options | None = None) -> Ingested:
    """Add a source to a folder of snapshots, made if need be, as its next snapshot; what fails writes nothing.

    Raises:
        DataError: the source cannot be read or is no source of names, or the folder cannot be written.
    """
    options = options or Options()
    if options.columns.encoding:
        check_encoding(options.columns.encoding)
    location = describe_location(source)
    with local_path(source) as path:
        folder = find_folder(resolve_data(path)[0]) if path.is_dir() else path
        identity = _identify(folder, location, options)
        if found := _find_taken(data, identity, options):
            return found
        drop = _read(folder, identity, options)
    _check_names(drop, location)
    with writing(data):
        # another drop may have come while this one was read
        return _find_taken(data, identity, options) or _merge(data, drop, options)


def _identify(path: Path, location: str, options: Options) -> SourceRecord:
    """Return what is known of a source before its rows are read."""
    if path.is_dir():
        files = [file for part in find_lists(path, as_is=options.as_is).files.values() for file in part]
        return SourceRecord(location=location, kind=_FOLDER_KIND, sha256=hash_files(files), as_is=options.as_is)
    kind = detect_kind(path, location, options.columns.encoding)
    return SourceRecord(
        location=location,
        kind=kind.value,
        sha256=hash_file(path),
        text_column=options.columns.text,
        label_column=options.columns.label,
        has_header=options.columns.has_header,
        encoding=options.columns.encoding,
        as_is=options.as_is,
    )


def _find_taken(data: Path, identity: SourceRecord, options: Options) -> Ingested | None:
    """Return the newest snapshot if it holds the source already; if that is to replace, if it holds nothing else."""
    newest = newest_snapshot(data)
    if newest is None:
        return None
    manifests = list(lineage(data))
    if not any(manifest.source.holds(identity) for manifest in manifests):
        return None
    if options.replace and len(manifests) > 1:
        return None
    return Ingested(newest, manifests[0], is_new=False)


def _read(path: Path, identity: SourceRecord, options: Options) -> Drop:
    try:
        return _read_lists(path, identity, options) if path.is_dir() else _read_table(path, identity, options)
    except DataError as error:
        raise DataError(f"{identity.location}: {error}") from None


def _read_table(path: Path, identity: SourceRecord, options: Options) -> Drop:
    table = open_table(path, detect_kind(path, identity.location, options.columns.encoding), options.columns)
    names = clean_rows(table.rows, as_is=options.as_is)
    is_guess = options.columns.encoding is None and table.encoding in GUESSES
    found = {
        "notes": (f"It is no UTF-8 and was read as {table.encoding}, {AS_A_GUESS}.",) if is_guess else (),
        "encoding": table.encoding,
        "delimiter": table.delimiter,
        "is_cut_off": names.ends_broken and table.encoding is not None and not ends_with_line(path),
    }
    return Drop(identity.model_copy(update=found), {NAMES_FOLDER: names})


def _read_lists(folder: Path, identity: SourceRecord, options: Options) -> Drop:
    lists = find_lists(folder, as_is=options.as_is)
    encodings: dict[str, str] = {}
    cleaners = {OUTLIER_FOLDER: clean_strings, VARIANT_FOLDER: clean_variants}
    clean_names = partial(clean_rows, as_is=options.as_is)
    parts = {part: cleaners.get(part, clean_names)(read_lists(files, encodings)) for part, files in lists.files.items()}
    odd = {name: encoding for name, encoding in encodings.items() if encoding not in {"utf-8", "utf-8-sig"}}
    notes = (*map(as_text, lists.notes), *(f"{name} was read as {encoding}." for name, encoding in odd.items()))
    return Drop(identity.model_copy(update={"encoding": None if odd else "utf-8", "notes": notes}), parts)


def _check_names(drop: Drop, location: str) -> None:
    if not drop.names.taken:
        reasons = ", ".join(f"{reason} {count}" for reason, count in drop.names.refusals.counts.most_common())
        raise DataError(f"{location} holds no name that can be taken{f': {reasons}' if reasons else ''}.")


def _merge(data: Path, drop: Drop, options: Options) -> Ingested:
    """Write what the newest snapshot holds and the drop adds as the next one, in the writers' turn. Raises OSError."""
    newest = newest_snapshot(data)
    before = _fold_parts(read_parts(newest))
    after = {part: _merge_labels(labels, drop.parts.get(part), options) for part, labels in before.items()}
    orphans = sorted(after[GIVEN_FOLDER].keys() - after[NAMES_FOLDER].keys())
    for label in orphans:
        del after[GIVEN_FOLDER][label]
    after[VARIANT_FOLDER] = _variants_of_names(after)
    files = {
        f"{part}/{label}.txt": "".join(f"{name}\n" for name in names.values()).encode()
        for part, labels in after.items()
        for label, names in labels.items()
    }
    hashes = {path: hash_bytes(content) for path, content in files.items()}
    if newest and (manifest := read_manifest(newest)).files == hashes:
        return Ingested(newest, manifest, is_new=False, drop=drop)
    name, created_at = name_snapshot(data, drop.record.sha256)
    known = sum(
        len(names.keys() & before[NAMES_FOLDER].get(label, {}).keys()) for label, names in drop.names.names.items()
    )
    manifest = Manifest(
        snapshot=name,
        created_at=created_at,
        parent=newest.name if newest else None,
        replaces=options.replace,
        source=drop.record,
        left_out=tuple(orphans),
        rows=drop.names.rows,
        added=sum(map(len, drop.names.names.values())) - known,
        known=known,
        repeated=drop.names.repeated,
        refused=drop.refused(),
        labels=_count_labels(after[NAMES_FOLDER], before[NAMES_FOLDER]),
        files=hashes,
    )
    return Ingested(write_snapshot(data, manifest, files), manifest, is_new=True, drop=drop)


def _merge_labels(before: Labels, cleaned: Cleaned | None, options: Options) -> Labels:
    """Return names by label, the new ones behind those that were there; to replace, the new ones alone."""
    if cleaned is None or not cleaned.names:
        return before
    if options.replace:
        return cleaned.names
    return {
        label: {**before.get(label, {}), **_new_names(cleaned.names.get(label, {}), before.get(label, {}))}
        for label in sorted(before.keys() | cleaned.names.keys())
    }


def _new_names(names: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    return {folded: spelling for folded, spelling in names.items() if folded not in known}


def _variants_of_names(parts: Mapping[str, Labels]) -> Labels:
    """Return the variants of which the names are there."""
    found = {}
    for label, variants in parts[VARIANT_FOLDER].items():
        names = {*parts[NAMES_FOLDER].get(label, ()), *parts[GIVEN_FOLDER].get(label, ())}
        if kept := {key: line for key, line in variants.items() if key.split("\t")[0] in names}:
            found[label] = kept
    return found


def _fold_parts(parts: Mapping[str, Mapping[str, list[str]]]) -> dict[str, Labels]:
    return {
        part: {label: {_key(part, line): line for line in lines} for label, lines in labels.items()}
        for part, labels in parts.items()
    }


def _key(part: str, line: str) -> str:
    """Return what two lines of one name have in common; outliers keep their marks."""
    return "\t".join(map(normalize if part == OUTLIER_FOLDER else fold, line.split("\t")))


def _count_labels(after: Labels, before: Labels) -> dict[str, LabelCount]:
    return {
        label: LabelCount(names=len(names), added=len(names.keys() - before.get(label, {}).keys()))
        for label, names in after.items()
    }
