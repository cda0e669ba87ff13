"""The one file of a form (multipart/form-data), answered while it arrives."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastapi import HTTPException

from api.formats.csv_rows import CHARSETS, CsvAnswers
from api.formats.streaming import Batch, Piece

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartParser

MEDIA_TYPE = "multipart/form-data"
_FIELD = "file"
_ENCODINGS = {"", "binary", "8bit", "7bit"}
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]*)', re.IGNORECASE)
_BROKEN = "The body is not a form as its Content-Type declares."
_ONE_FILE = "A form holds one file and nothing else; options, such as `column`, stand in the query."


class FormFile:
    """Answers the file of a form as if it were the body."""

    def __init__(self, answers: CsvAnswers, content_type: str) -> None:
        """Prepare for the boundary that a content type declares. Raises HTTPException if there is none to use."""
        self.media_type = answers.media_type
        self.version = answers.version
        self.options = answers.options
        self._answers = answers
        self._parser = self._make_parser(content_type)
        self._headers: dict[str, str] = {}
        self._header = ("", "")  # that is being read
        self._n_files = 0
        self._pieces: list[bytes] = []
        self._is_complete = False

    def read(self, chunk: bytes, *, last: bool) -> Iterator[Batch]:
        """Yield the rows of the file that are complete; see `Answers`.

        Raises:
            HTTPException: the form is broken, or holds something else than one file.
            FieldError: as `CsvAnswers.read` does.
        """
        self._parse(chunk)
        content, self._pieces = b"".join(self._pieces), []
        if content or self._is_complete:
            yield from self._answers.read(content, last=self._is_complete)
        if last and not self._is_complete:
            raise HTTPException(400, "The form ends before its last boundary.")

    def answer(self, batch: Batch) -> Piece:
        """Return the answers to rows."""
        return self._answers.answer(batch)

    def end_early(self, status: int, detail: str) -> bytes:
        """Return the last row of an answer that ends before its file does."""
        return self._answers.end_early(status, detail)

    def _make_parser(self, content_type: str) -> "MultipartParser":
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser, parse_options_header

        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise HTTPException(400, "The Content-Type of a form must declare its boundary.")
        try:
            return MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_field,
                    "on_header_value": self._add_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._check_part,
                    "on_part_data": self._add_data,
                    "on_end": self._end,
                },
            )
        except FormParserError:
            raise HTTPException(400, "The boundary of the form is too long.") from None

    def _parse(self, chunk: bytes) -> None:
        from python_multipart.exceptions import FormParserError

        try:
            self._parser.write(chunk)
        except FormParserError:
            raise HTTPException(400, _BROKEN) from None

    def _begin_part(self) -> None:
        self._n_files += 1
        self._headers = {}
        if self._n_files > 1:
            raise HTTPException(422, _ONE_FILE)

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        name, value = self._header
        self._header = name + data[start:end].decode("latin-1"), value

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        name, value = self._header
        self._header = name, value + data[start:end].decode("latin-1")

    def _end_header(self) -> None:
        name, value = self._header
        self._headers[name.lower()], self._header = value, ("", "")

    def _check_part(self) -> None:
        """Refuse what is no file, and read one in the charset that it declares."""
        disposition = self._headers.get("content-disposition", "")
        if "filename" not in disposition.lower() and f'name="{_FIELD}"' not in disposition:
            raise HTTPException(422, _ONE_FILE)
        if self._headers.get("content-transfer-encoding", "").strip().lower() not in _ENCODINGS:
            raise HTTPException(415, "Send the file of a form as it is, without a transfer encoding.")
        if declared := _CHARSET.search(self._headers.get("content-type", "")):
            if declared[1].lower() not in CHARSETS:
                raise HTTPException(415, "The charset of the file is not known here; save it as UTF-8.")
            self._answers.declare_charset(declared[1].lower())

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append(data[start:end])

    def _end(self) -> None:
        self._is_complete = True
