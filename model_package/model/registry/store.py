"""A folder of bundles with a history: versions, a pointer to the champion, a ledger.

`<store>/<version>/` are bundles, `<store>/current` holds the champion's version, `<store>/ledger.jsonl` what happened.
Every change is one rename or one line, so readers need no lock; writers take turns at `<store>/.lock`. What a kill left
unfinished, the next writer clears away or records: the entry that goes with a new pointer is written beside it first.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from model.artifacts import Bundle, BundleMetadata, read_bundle, read_metadata, write_bundle
from model.constants import METADATA_FILE
from model.errors import BundleError, StoreError
from model.files import locked, read_regular_file, replace_durably, sync_folder, write_durably
from model.registry.ledger import Entry, added_since_promotion, append_entry, champions, new_entry, read_ledger

_POINTER = "current"
_LEDGER = "ledger.jsonl"
_LOCK = ".lock"
_PENDING_ENTRY = ".pending-entry.json"
_STAGING = ".adding-"
_MAX_POINTER_BYTES = 1024
_VERSION = re.compile(r"[0-9a-f]{12}")


class Store:
    """The versions in a folder and which of them is the champion; safe to share between processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ledger = path / _LEDGER

    def check_exists(self) -> None:
        """Raise StoreError if there is no such folder."""
        if not self.path.is_dir():
            raise StoreError(f"There is no store at {self.path}; train makes one.")

    def versions(self) -> list[BundleMetadata]:
        """Return what every version says of itself, by creation; `damaged` tells of those that cannot be read."""
        found = (scanned for scanned in self._scan().values() if isinstance(scanned, BundleMetadata))
        return sorted(found, key=lambda metadata: (metadata.created_at, metadata.version))

    def damaged(self) -> dict[str, str]:
        """Return, by version, why its metadata cannot be read; the other files are verified when they are used."""
        return {version: reason for version, reason in self._scan().items() if isinstance(reason, str)}

    def champion(self) -> str | None:
        """Return the version in use; None before the first promotion. Raises StoreError if the pointer is damaged."""
        path = self.path / _POINTER
        try:
            version = read_regular_file(path, _MAX_POINTER_BYTES).decode(errors="replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}.") from None
        if not _VERSION.fullmatch(version):
            raise StoreError(f"{path} does not name a version; write the champion's there, or remove it.")
        return version

    def challenger(self) -> str | None:
        """Return the newest version added since the last promotion that is readable and not champion, or None.

        So neither a version that was passed over nor one that was rolled back comes up again by itself.
        """
        candidates = {metadata.version for metadata in self.versions()} - {self.champion()}
        return next((v for v in reversed(added_since_promotion(self.history())) if v in candidates), None)

    def history(self) -> list[Entry]:
        """Return what happened, oldest first. Raises StoreError if the ledger is damaged."""
        return read_ledger(self._ledger)

    def folder(self, version: str) -> Path:
        """Return the folder of a version. Raises StoreError if the store has none such."""
        if not _VERSION.fullmatch(version) or not (self.path / version).is_dir():
            raise StoreError(f"{self.path} holds no version {version!r:.20}.")
        return self.path / version

    def add(self, directory: Path) -> BundleMetadata:
        """Copy a bundle into the store and return its metadata; a version that stands there whole stays as it is.

        Raises:
            BundleError: the bundle is missing, incomplete or damaged, or the store cannot be written.
        """
        bundle = read_bundle(directory)
        version = bundle.metadata.version
        if not _VERSION.fullmatch(version):
            raise StoreError(f"{directory} calls itself version {version!r:.20}, not 12 hexadecimal digits.")
        with self._writing(create=True):
            if not self._holds(version):
                self._place(bundle)
            if not any(entry.event == "added" and entry.version == version for entry in self.history()):
                append_entry(self._ledger, new_entry("added", version, self.champion()))
            return read_metadata(self.path / version)

    def promote(
        self,
        version: str,
        *,
        instead_of: str | None,
        gate: Sequence[Mapping[str, Any]] = (),
        reason: str | None = None,
    ) -> None:
        """Make a version the champion, in the place of the one that it was compared with; the ledger keeps the reason.

        Raises:
            BundleError: the version is missing or damaged, is the champion, or another became champion meanwhile.
        """
        with self._writing():
            champion = self.champion()
            if champion == version:
                raise StoreError(f"{version} is the champion already.")
            if champion != instead_of:
                raise StoreError(f"The champion changed in the meantime; compare {version} with {champion}.")
            self._point_at(new_entry("promoted", version, champion, reason=reason, gate=gate))

    def refuse(self, version: str, reason: str, *, gate: Sequence[Mapping[str, Any]] = ()) -> None:
        """Record that a version fell short of the champion. Raises StoreError if the store cannot be written."""
        with self._writing():
            append_entry(self._ledger, new_entry("refused", version, self.champion(), reason=reason, gate=gate))

    def finish_interrupted(self) -> None:
        """Finish what a killed writer began. Raises StoreError if the store cannot be written."""
        with self._writing():
            pass

    def rollback(self) -> str:
        """Make the champion before this one champion again and return its version.

        Raises:
            BundleError: there was none before, it is damaged, or the store cannot be written.
        """
        with self._writing():
            past = champions(self.history())
            if len(past) < 2:
                raise StoreError(f"{self.path} has no champion before the present one to go back to.")
            before, champion = past[-2:]
            self._point_at(new_entry("rolled_back", before, champion))
            return before

    def _scan(self) -> dict[str, BundleMetadata | str]:
        """Return, by version, its metadata or why it cannot be read."""
        found: dict[str, BundleMetadata | str] = {}
        for path in sorted(self.path.glob("*")):
            if _VERSION.fullmatch(path.name):
                try:
                    found[path.name] = _verify_name(path, read_metadata(path))
                except BundleError as error:
                    found[path.name] = str(error)
        return found

    @contextmanager
    def _writing(self, *, create: bool = False) -> Iterator[None]:
        """Take the writers' turn, and first finish what a killed writer began."""
        if not create:
            self.check_exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with locked(self.path / _LOCK):
                for leftover in self.path.glob(f"{_STAGING}*"):
                    shutil.rmtree(leftover)
                self._record_interrupted()
                yield
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written: {error.strerror}.") from None

    def _record_interrupted(self) -> None:
        """Add the entry of a writer that was killed after it moved the pointer."""
        champion, past = self.champion(), champions(self.history())
        pending = self._pending_entry()
        if champion and past[-1:] != [champion]:
            previous = past[-1] if past else None
            if pending is None or (pending.version, pending.previous) != (champion, previous):
                event: Literal["rolled_back", "promoted"] = "rolled_back" if champion in past else "promoted"
                pending = new_entry(event, champion, previous, reason="found after an interruption")
            append_entry(self._ledger, pending)
        (self.path / _PENDING_ENTRY).unlink(missing_ok=True)

    def _pending_entry(self) -> Entry | None:
        """Return the entry of a writer that was killed before the ledger had it; None if there is none."""
        try:
            return Entry.model_validate_json((self.path / _PENDING_ENTRY).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def _holds(self, version: str) -> bool:
        try:
            return read_bundle(self.path / version).metadata.version == version
        except BundleError:
            return False

    def _place(self, bundle: Bundle) -> None:
        """Write a version in a staging folder and rename it into place; a damaged one goes."""
        target = self.path / bundle.metadata.version
        with self._staging() as staging:
            whole = staging / "whole"
            write_bundle(whole, bundle.metadata, bundle.files)
            if target.exists():
                target.rename(staging / "damaged")
            whole.rename(target)
            sync_folder(self.path)

    def _point_at(self, entry: Entry) -> None:
        """Verify a version, make it the champion, and add the entry that tells of it."""
        folder = self.folder(entry.version)
        _verify_name(folder, read_bundle(folder).metadata)
        with self._staging() as staging:
            pointer = staging / _POINTER
            write_durably(pointer, f"{entry.version}\n".encode())
            replace_durably(self.path / _PENDING_ENTRY, entry.model_dump_json().encode())
            pointer.replace(self.path / _POINTER)
            sync_folder(self.path)
        append_entry(self._ledger, entry)
        (self.path / _PENDING_ENTRY).unlink()

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix=_STAGING, dir=self.path) as staging:
            yield Path(staging)


def holds_bundle(path: Path) -> bool:
    """Tell whether a path is a bundle or a store with a champion. Raises StoreError if the pointer is damaged."""
    return (path / METADATA_FILE).exists() or Store(path).champion() is not None


def resolve_bundle(path: Path) -> Path:
    """Return the folder of the bundle that a path means: itself, or the champion's if it is a store.

    Raises:
        StoreError: it is a store without a champion, or its pointer is damaged.
    """
    if (path / METADATA_FILE).exists():
        return path
    store = Store(path)
    if champion := store.champion():
        return store.folder(champion)
    if (path / _LEDGER).exists():
        raise StoreError(f"{path} is a store without a champion; promote a version first.")
    return path


def _verify_name(folder: Path, metadata: BundleMetadata) -> BundleMetadata:
    if metadata.version != folder.name:
        raise StoreError(f"{folder} holds version {metadata.version!r:.20}; remove it and add the right one again.")
    return metadata
