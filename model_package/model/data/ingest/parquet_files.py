"""Open a Parquet file, with pyarrow where it is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model.errors import DataError

if TYPE_CHECKING:
    from pyarrow import parquet


@contextmanager
def opened_parquet(location: str) -> "Iterator[parquet.ParquetFile]":
    """Yield the file at a path or URL.

    Raises:
        DataError: pyarrow is missing, or the file is damaged, which may show only while it is read.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            'Parquet needs pyarrow, which is not installed: run `pip install "model_package[ingest]"`.'
        ) from None
    try:
        if "://" in location:
            import fsspec

            with fsspec.open(location, "rb") as remote, parquet.ParquetFile(remote) as file:
                yield file
        else:
            with parquet.ParquetFile(location) as file:
                yield file
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"The Parquet file is damaged ({type(error).__name__}); write it again.") from None
