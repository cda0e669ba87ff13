"""Read a folder of `<Label>.txt` files, check every line, and tell what else lies there."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from model.constants import MAX_LABEL_LENGTH
from model.data.line_checks import Fault, find_suspicion, holds_separator_or_digit, is_header
from model.errors import DataError, InvalidNameError
from model.frames import unframe
from model.utils import normalize, unmark

_MAX_SHOWN = 20  # entries that are named one by one
_MAX_LABEL_BYTES = 255 - len(".txt")  # of a file's name
_NOTICES = {"authors", "changelog", "contributors", "copying", "copyright", "licence", "license", "notice", "readme"}
_FIRST_WORD = re.compile(r"[\W\d_]")
AS_IS = "--as-is takes every line as a name"


@dataclass(frozen=True)
class FolderNames:
    """The names of each file by label, with duplicates, in file order, and what a person should know.

    `spellings` are normalized and without frame, as names are read that are to be answered; `names` are folded, too.
    """

    names: dict[str, list[str]]
    spellings: dict[str, list[str]]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _LabelFile:
    path: Path
    spellings: list[str]
    names: list[str]
    suspicions: list[tuple[int, Fault]]
    records: list[int]  # numbers of the lines with separators or digits


def read_folder(folder: Path, *, as_is: bool = False) -> FolderNames:
    """Return the folded names of every `<Label>.txt`; with `as_is` also of lines that look like no names.

    Raises:
        DataError: no such folder, fewer than two labels, a file that is undecodable or holds a bad line or, unless
            `as_is`, lines that are hardly names: columns, comments, markup, a header, a notice.
    """
    if not folder.is_dir():
        raise DataError(describe_no_folder(folder))
    found = read_files(folder, as_is=as_is)
    if len(found.names) < 2:
        raise DataError(
            f"{folder} holds {len(found.names)} label file(s); a classifier needs two or more <Label>.txt files."
            + _hint(folder)
            + "".join(f" {sentence}" for sentence in describe_ignored(folder))
        )
    return FolderNames(found.names, found.spellings, (*describe_ignored(folder), *found.warnings))


def read_files(folder: Path, *, as_is: bool = False) -> FolderNames:
    """Return what `read_folder` does, of a folder that need not be there or hold anything."""
    files = [_read_file(path) for path in label_files(folder)]
    names = {file.path.stem: file.names for file in files}
    spellings = {file.path.stem: file.spellings for file in files}
    if as_is:
        return FolderNames(names, spellings)
    for file in files:
        if is_notice(file.path):
            raise DataError(f"{file.path} reads like a notice, not like a label: move it elsewhere; or {AS_IS}.")
        if 2 * len(file.records) > len(file.names):
            raise DataError(
                f"{file.path}, line {file.records[0]}: most lines of the file hold separators or digits "
                f"({len(file.records)} of {len(file.names)}), so it is a table and no list of names: "
                f"`ingest` takes tables; or {AS_IS}."
            )
    _refuse_suspicions(files)
    return FolderNames(names, spellings, tuple(_describe_records(file) for file in files if file.records))


def read_strings(folder: Path) -> dict[str, set[str]]:
    """Return by file the normalized strings of all `*.txt` of a folder that need not be there, whatever they are."""
    return {
        path.stem: {_normalize_line(path, number, line) for number, line in _lines(path)}
        for path in label_files(folder)
    }


def read_variants(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Return by label the pairs of a folded name and another, normalized, spelling of it, one pair a line.

    Raises:
        DataError: a file is undecodable or empty, or a line is no name, tab and other spelling.
    """
    return {path.stem: [_read_pair(path, *line) for line in _lines(path)] for path in label_files(folder)}


def _read_pair(path: Path, number: int, line: str) -> tuple[str, str]:
    if line.count("\t") != 1:
        raise DataError(f"{path}, line {number}: a line holds a name, one tab, and another spelling of the name.")
    name, variant = (unframe(_normalize_line(path, number, cell)) for cell in line.split("\t"))
    return unmark(name), variant


def label_files(folder: Path) -> list[Path]:
    """Return the files of a folder that are read, sorted; a link that leads nowhere is read, and then told."""
    found = (path for path in folder.glob("*.txt") if not path.name.startswith("."))
    return sorted(path for path in found if path.is_file() or not path.exists())


def is_label(text: str) -> bool:
    """Tell whether a string can be a label, and so name a file."""
    printable = 0 < len(text) <= MAX_LABEL_LENGTH and text.isprintable() and text == text.strip()
    return printable and "/" not in text and not text.startswith(".") and len(text.encode()) <= _MAX_LABEL_BYTES


def is_notice(path: Path) -> bool:
    """Tell whether a file is one that lies beside lists, such as their licence."""
    return _FIRST_WORD.split(path.stem.casefold(), maxsplit=1)[0] in _NOTICES


def check_labels(folder: Path, found: Collection[str], labels: tuple[str, ...]) -> None:
    """Raise DataError if a folder's file is of another label."""
    for label in found:
        if label not in labels:
            raise DataError(f"{folder / label}.txt: there is no such label; the labels are: {', '.join(labels)}.")


def describe_no_folder(path: Path) -> str:
    """Return what to do with a path that is no folder."""
    if path.exists():
        return (
            f"{path} is a file, not a folder of <Label>.txt files: `python -m model ingest {path} DATA` takes tables."
        )
    return f"{path} is not a folder of <Label>.txt files."


def describe_ignored(folder: Path) -> tuple[str, ...]:
    """Return a sentence for each entry of a folder that is not read, or for what stands in the place of a folder."""
    if not folder.is_dir():
        return (f"{folder} is ignored: it is no folder.",) if folder.exists() or folder.is_symlink() else ()
    read = set(label_files(folder))
    ignored = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path not in read]
    sentences = [_describe_ignored(path) for path in islice(ignored, _MAX_SHOWN)]
    if len(ignored) > _MAX_SHOWN:
        sentences.append(f"{len(ignored) - _MAX_SHOWN} more entries of {folder} are ignored.")
    return tuple(sentences)


def _describe_ignored(path: Path) -> str:
    if path.is_dir():
        return f"{path} is ignored: folders inside the folder are not read."
    if path.suffix == ".txt":
        return f"{path} is ignored: it is no regular file."
    if path.suffix.lower() == ".txt":
        return f"{path} is ignored: rename it to {path.stem}.txt."
    return f"{path} is ignored: only files called <Label>.txt are read; `ingest` takes tables."


def _hint(folder: Path) -> str:
    return f" Did you mean {folder / 'names'}?" if (folder / "names").is_dir() else ""


def _read_file(path: Path) -> _LabelFile:
    if not is_label(path.stem):
        raise DataError(f"{path}: a label is 1 to {MAX_LABEL_LENGTH} printable characters without spaces around them.")
    lines = list(_lines(path))
    spellings = [unframe(_normalize_line(path, number, line)) for number, line in lines]
    suspicions = [(number, fault) for number, line in lines if (fault := find_suspicion(line))]
    if lines and is_header(lines[0][1]):
        suspicions.insert(0, (lines[0][0], Fault.HEADER))
    names = [unmark(spelling) for spelling in spellings]
    return _LabelFile(
        path, spellings, names, suspicions, [number for number, line in lines if holds_separator_or_digit(line)]
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8, or `ingest` the folder."
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _normalize_line(path: Path, number: int, line: str) -> str:
    try:
        unmark(text := normalize(line))  # that it can be folded, too
    except InvalidNameError as error:
        raise DataError(f"{path}, line {number}: {error}") from None
    return text


def _refuse_suspicions(files: Sequence[_LabelFile]) -> None:
    """Raise DataError for the first line that is hardly a name, with the number of all such lines."""
    suspicious = [file for file in files if file.suspicions]
    if not suspicious:
        return
    first = suspicious[0]
    number, fault = first.suspicions[0]
    n_lines = sum(len(file.suspicions) for file in suspicious)
    reasons = Counter(fault for file in suspicious for _, fault in file.suspicions)
    counts = ", ".join(f"{fault} {n}" for fault, n in reasons.most_common())
    raise DataError(
        f"{first.path}, line {number} holds {fault}; {n_lines} line(s) of {len(suspicious)} file(s) are hardly names "
        f"({counts}): take them out, `ingest` the folder, or {AS_IS}."
    )


def _describe_records(file: _LabelFile) -> str:
    return f"{file.path}, line {file.records[0]}: {len(file.records)} line(s) of the file hold a comma or digits."
