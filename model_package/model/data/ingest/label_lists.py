"""A folder of `<Label>.txt` files, such as the request log's feedback export, to rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.constants import FOLDERS_BESIDE
from model.data.ingest.tables import Row
from model.data.ingest.text import MAX_LINE, detect_encoding, read_lines
from model.data.label_folder import describe_ignored, is_notice, label_files
from model.data.line_checks import Fault, is_header
from model.data.snapshots import NAMES_FOLDER
from model.errors import DataError
from model.files import as_text


@dataclass(frozen=True)
class LabelLists:
    """The files of a folder of names, of the folders beside it, and what is ignored."""

    files: dict[str, list[Path]]
    notes: tuple[str, ...]


def find_folder(folder: Path) -> Path:
    """Return the folder of the lists: `names` of one that holds no lists itself."""
    names = folder / NAMES_FOLDER
    return names if names.is_dir() and not label_files(folder) else folder


def find_lists(folder: Path, *, as_is: bool) -> LabelLists:
    """Return the files of `names`, and of the folders that may stand beside it.

    Raises:
        DataError: the folder holds no list.
    """
    names = [path for path in label_files(folder) if as_is or not is_notice(path)]
    if not names:
        hint = f" Did you mean {folder / NAMES_FOLDER}?" if (folder / NAMES_FOLDER).is_dir() else ""
        raise DataError(f"{folder} holds no <Label>.txt file.{hint}")
    files = {NAMES_FOLDER: names}
    if folder.resolve().name not in FOLDERS_BESIDE:  # they do not stand beside themselves
        files |= {part: label_files(folder.resolve().parent / part) for part in FOLDERS_BESIDE}
    left_out = set(label_files(folder)) - set(names)
    notices = [f"{path} is left out: it reads like a notice, not like a label." for path in sorted(left_out)]
    empty = [f"{path} is empty." for path in names if path.is_file() and not path.stat().st_size]
    return LabelLists(files, (*describe_ignored(folder), *notices, *empty))


def read_lists(files: list[Path], encodings: dict[str, str]) -> Iterator[Row]:
    """Yield the lines that are not blank, with the file's stem as label; note the encoding of each file by name."""
    for path in files:
        name = as_text(path.name)
        encoding = encodings[f"{as_text(path.parent.name)}/{name}"] = detect_encoding(path)
        is_first = True
        for number, line in read_lines(path, encoding):
            if not line.strip():
                continue
            problem = Fault.HEADER.value if is_first and is_header(line) else ""
            is_first = False
            yield Row(f"{name}:{number}", line[:MAX_LINE], path.stem, problem)
