"""Where the result goes: its names, that it can be written and is not the input, and the last rename."""

from pathlib import Path

from model.data.ingest.sources import describe_location, open_url
from model.errors import DataError

_LOCAL_PROTOCOLS = ("file://", "local://")


def parts_folder(output: str) -> Path:
    """Return the folder of the parts: beside a file, in the working directory for a URL."""
    name = f"{Path(describe_location(output)).name}.parts"
    return Path(name) if "://" in output else Path(output).with_name(name)


def rejected_name(output: str) -> str:
    """Return where the rows go that cannot be scored."""
    base, _, _ = output.rpartition(".")
    return f"{base}.rejected.csv"


def check_destination(source: str, output: str) -> None:
    """Raise DataError where a result would overwrite the input or a folder, or where no file system answers to it."""
    for role, target in (("OUTPUT", output), ("the file of rejected rows", rejected_name(output))):
        if _place(source) == _place(target):
            raise DataError(f"INPUT and {role} are the same file; name another for the result.")
        if isinstance(path := _place(target), Path) and path.is_dir():
            raise DataError(f"{describe_location(target)} is a folder; the result is a file.")
    if "://" in output:
        open_url(output)


def publish(path: Path, target: str) -> None:
    """Move a file to its place, by rename. Raises OSError, and DataError of a URL."""
    if "://" not in target:
        path.replace(target)
        return
    system, place = open_url(target)
    try:
        system.put_file(str(path), f"{place}.part")
        system.mv(f"{place}.part", place)
    except Exception as error:  # noqa: BLE001 - each file system of fsspec raises what it likes
        raise _unwritable(target, error) from None
    path.unlink()


def withdraw(target: str) -> None:
    """Remove what a run before left of rejected rows. Raises OSError, and DataError of a URL."""
    if "://" not in target:
        Path(target).unlink(missing_ok=True)
        return
    system, place = open_url(target)
    try:
        if system.exists(place):
            system.rm(place)
    except Exception as error:  # noqa: BLE001 - each file system of fsspec raises what it likes
        raise _unwritable(target, error) from None


def _unwritable(target: str, error: Exception) -> DataError:
    return DataError(f"{describe_location(target)} cannot be written ({type(error).__name__}).")


def _place(location: str) -> Path | str:
    """Return the path of a location on this machine, links followed; of another, its URL."""
    for protocol in _LOCAL_PROTOCOLS:
        location = location.removeprefix(protocol)
    return location if "://" in location else Path(location).resolve()
