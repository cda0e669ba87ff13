"""Streams and files: one answer for each line or row, whatever it holds and however it comes."""

import asyncio
import csv
import io
import json
import re
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from api.classify.classifier import Options
from api.classify.served_model import ServedModel
from api.classify.workers import Workers
from api.formats.csv_rows import CsvAnswers
from api.formats.form_files import FormFile
from api.formats.ndjson import MAX_LINE_BYTES, NdjsonAnswers
from api.formats.streaming import Answers, BulkResponse
from api.lifecycle import Lifecycle
from api.name_quota import NameQuota
from api.observability.metrics import Metrics
from api.schemas.predict import StreamedError, StreamedPrediction
from api.tests.conftest import Server, metric_sum, start, stop, until
from model.data.ingest.text import MAX_LINE

STREAM = "/v1/predict/stream"
FILE = "/v1/predict/file"
SECRET = "Secretname"
NDJSON = {"content-type": "application/x-ndjson"}
CSV = {"content-type": "text/csv; charset=utf-8"}
NAMES = ["Jordan", "Kowalska", "O’Brien", "van der Berg", "Ñandú", "bergson", "qxzvw", "Мария", "山田", "a" * 100]
PARAMETERS: list[dict[str, Any]] = [{}, {"top_k": 4, "prior": "uniform"}, {"top_k": 1, "abstain": True}]


def _stream(client: httpx.Client, body: bytes | Iterator[bytes], **parameters: Any) -> list[dict[str, Any]]:
    answer = client.post(STREAM, content=body, headers=NDJSON, params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.split("\n")[:-1]]


def _file(client: httpx.Client, body: bytes, **parameters: Any) -> list[dict[str, str]]:
    answer = client.post(FILE, content=body, headers=CSV, params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), delimiter=parameters.get("delimiter", ",")))


def _predict(client: httpx.Client, names: Sequence[str], **parameters: Any) -> list[dict[str, Any]]:
    answer = client.post("/v1/predict", json={"names": names, **parameters})
    predictions: list[dict[str, Any]] = answer.raise_for_status().json()["predictions"]
    return predictions


class StreamClient:
    """A client that sends chunks and reads the answer piece by piece."""

    def __init__(self, server: Server, path: str = STREAM, content_type: str = "application/x-ndjson") -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.socket.settimeout(30)
        self.socket.connect((server.client.base_url.host, server.client.base_url.port))
        head = (
            f"POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        self._answer = self.socket.makefile("rb")

    def send(self, piece: bytes) -> None:
        self.socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))

    def receive_head(self) -> bytes:
        return b"".join(iter(self._answer.readline, b"\r\n"))

    def receive(self) -> bytes:
        size = int(self._answer.readline(), 16)
        return self._answer.read(size + 2)[:-2]

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not end
        self._answer.close()
        self.socket.close()


# --- lines


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_each_line_gets_what_predict_answers_in_its_place(client: httpx.Client, parameters: dict[str, Any]) -> None:
    names = [f"{name[:90]}{'x' * (i % 7)}" for i in range(70) for name in NAMES]  # three batches
    lines = [json.dumps(name if i % 3 else {"id": i, "name": name}) for i, name in enumerate(names)]
    lines[5::50] = ['{"id": "of a bad one", "name": ""}'] * len(lines[5::50])
    answers = _stream(client, "\n".join(lines).encode(), **parameters)
    assert len(answers) == len(lines)
    for place, answer in enumerate(answers):
        if place % 50 == 5:
            assert answer["error"] | {"detail": ""} == {"line": place + 1, "status": 422, "detail": ""}
            assert answer["id"] == "of a bad one"
    good = [place for place in range(len(names)) if place % 50 != 5]
    expected = _predict(client, [names[place] for place in good], **parameters)
    for place, prediction in zip(good, expected, strict=True):
        assert answers[place] == (prediction if place % 3 else prediction | {"id": place})


BAD_LINES = {
    "bad UTF-8": b'"Secretname\xff"',
    "bad UTF-8 in an id": b'{"name": "Jordan", "id": "Secretname\xff"}',
    "not JSON": b"Secretname",
    "broken JSON": b'{"name": "Secretname"',
    "two values": b'"Secretname" "Jordan"',
    "number": b"7",
    "null": b"null",
    "list": b'["Secretname"]',
    "NaN": b'{"name": NaN}',
    "lone surrogate": b'"Secretname\\ud800"',
    "nested deep": b'{"name": "Jordan", "id": ' + b"[" * 4000,
    "over the bound": b'"' + SECRET.encode() * 1000 + b'"',
    "spaces over the bound": b" " * 10_000,
    "101 letters": b'"' + b"a" * 101 + b'"',
    "only spaces": b'"   "',
    "NUL": b'"Secretname\\u0000"',
}
BAD_LINES_WITH_ID = {
    "name is a number": b'{"id": 7, "name": 5}',
    "no name": b'{"id": 7}',
    "empty name": b'{"name": "", "id": 7}',
    "unknown field": b'{"id": 7, "name": "Jordan", "Secretname": 1}',
}


@pytest.mark.parametrize("line", (BAD_LINES | BAD_LINES_WITH_ID).values(), ids=(BAD_LINES | BAD_LINES_WITH_ID).keys())
def test_a_bad_line_costs_an_error_and_not_the_stream(client: httpx.Client, line: bytes) -> None:
    before, bad, after = _stream(client, b'\n"Jordan"\n' + line + b'\r\n\n"Kowalska"')
    assert [before, after] == _predict(client, ["Jordan", "Kowalska"])
    error = bad.pop("error")
    assert (error["line"], error["status"]) == (3, 422)
    assert error["detail"].endswith(".")
    assert SECRET not in json.dumps(error)
    assert bad == ({"id": 7} if line in BAD_LINES_WITH_ID.values() else {})


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\n\t"])
def test_an_empty_stream_gets_an_empty_answer(client: httpx.Client, body: bytes) -> None:
    assert _stream(client, body) == []


def test_an_id_comes_back_as_it_was(client: httpx.Client) -> None:
    ids = ['"a\\u00e9"', "1e400", "123456789012345678901234567890", "0.10", "null", '{"b": [1, {}]}']
    body = "\n".join(f'{{"name": "Jordan", "id": {given}}}' for given in ids)
    answer = client.post(STREAM, content=body, headers=NDJSON)
    assert [line.partition('"id":')[2][:-1] for line in answer.text.splitlines()] == ids


def test_the_version_is_in_a_header(client: httpx.Client) -> None:
    version = client.post("/v1/predict", json={"names": ["Jordan"]}).json()["model_version"]
    for path, body, headers in ((STREAM, '"Jordan"', NDJSON), (FILE, "name\nJordan", CSV)):
        answer = client.post(path, content=body, headers=headers | {"x-request-id": "mine"})
        assert (answer.headers["x-model-version"], answer.headers["x-request-id"]) == (version, "mine")


@pytest.mark.parametrize(
    ("path", "status", "headers"),
    [
        (STREAM + "?top_k=5", 422, NDJSON),
        (STREAM + "?top_k=0", 422, NDJSON),
        (STREAM + "?prior=Secretname", 422, NDJSON),
        (STREAM + "?abstain=Secretname", 422, NDJSON),
        (STREAM, 415, CSV),
        (STREAM, 415, {"content-type": "application/json"}),
        (FILE, 415, NDJSON),
        (FILE + "?top_k=5", 422, CSV),
        (FILE + "?delimiter=Secretname", 422, CSV),
        (FILE + "?column=Secretname", 422, CSV),
    ],
)
def test_what_is_wrong_from_the_start_is_a_problem(
    client: httpx.Client, path: str, status: int, headers: dict[str, str]
) -> None:
    answer = client.post(path, content="name\nJordan", headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert SECRET not in answer.text


def test_each_line_is_answered_while_the_next_is_not_sent_yet(server: Server) -> None:
    sender = StreamClient(server)
    sender.send(b'"Jordan"\n"Kowal')
    assert sender.receive_head().startswith(b"HTTP/1.1 200 ")
    first = sender.receive()
    assert first.count(b"\n") == 1
    sender.send(b'ska"\n')
    second = sender.receive()
    assert [json.loads(first), json.loads(second)] == _predict(server.client, ["Jordan", "Kowalska"])
    sender.reset()


# --- rows


def test_each_row_keeps_its_cells_and_gets_what_predict_answers(client: httpx.Client) -> None:
    names = [f"{name[:90]}{'x' * (i % 7)}" for i in range(70) for name in NAMES]
    text = io.StringIO()
    csv.writer(text).writerows([["number", "surname"], *enumerate(names)])
    rows = _file(client, text.getvalue().encode(), column="surname", top_k=2, abstain=True)
    assert [(row["number"], row["surname"]) for row in rows] == [(str(i), name) for i, name in enumerate(names)]
    for row, prediction in zip(rows, _predict(client, names, top_k=2, abstain=True), strict=True):
        ranks = range(1, len(prediction["labels"]) + 1)
        assert [row[f"label_{rank}"] for rank in ranks] == prediction["labels"]
        assert [float(row[f"probability_{rank}"]) for rank in ranks] == prediction["probabilities"]
        assert (row["abstained"] or None, row["error"]) == (prediction["abstained"], "")
        if not ranks:
            assert row["label_1"] == row["probability_2"] == ""


def test_a_bad_row_costs_an_error_and_not_the_file(client: httpx.Client) -> None:
    long = b"8," + b"b" * MAX_LINE
    body = b'id,name\n1,Jordan\n2\n3,Jordan,x\n\n\n4,\n5,J\xffrdan\nid,name\n6,"Jordan\n' + b"7,Jordan\n" * 4760
    rows = _file(client, body + long + b'\n9,Kowal\rska\n10,O"Brien\n11,Jordan,,\n\n')
    assert [(row["id"], row["error"]) for row in [*rows[:9], *rows[-4:]]] == [
        ("1", ""),
        ("2", "Line 3 has 1 cells, the first row 2."),
        ("3", "Line 4 has 3 cells, the first row 2."),
        ("", "Lines 5 to 6 are blank."),
        ("4", "A name needs at least one visible character."),
        ("5", "Line 8 is not UTF-8."),
        ("id", "Line 9 holds the header again."),
        ("6", "Line 10 holds a quote that is not closed."),
        ("7", ""),
        ("", f"A line may have at most {MAX_LINE} characters: line 4771 has more."),
        ("", "Line 4772 holds a carriage return outside quotes."),
        ("10", ""),
        ("11", ""),
    ]
    assert rows[5]["name"] == "J\ufffdrdan"
    assert len(rows) == 8 + 4760 + 4
    assert rows[-1] | {"id": "1"} == rows[0]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The file is empty"),
        (b"\n\n", "The file is empty"),
        (b"surname\nJordan", "one column only: its first line must be the name of that column"),
        (b"name,name\nA,B", "column: Columns 1 and 2 both have this name."),
        (b"id,Name, NAME\n1,A,B", "Columns 2 and 3 both have this name"),
        (b"id;surname;city\n1;A;B", "There is no column of this name. The columns are: 'id', 'surname', 'city'."),
        (b"Secretname,Jordan\nKowalska,Jordan", "seems to hold data, not the names of its 2 columns"),
        (b"7\tSecretname\n8\tJordan", "seems to hold data, not the names of its 2 columns"),
        (b"Zqxjcolu,Jordan\nKowalska,Ann", "The first row has 2 cells; they must be the names of the columns."),
        (b"\xffname\n", "The first row is not UTF-8: save it as UTF-8, or declare its charset"),
        ("name\n".encode("utf-16-le"), "looks like UTF-16 without a byte order mark: save it as UTF-8."),
        (b"a" * 99_999, "The first row must name the columns. A line may have at most"),
        (b'"name\nJordan', "The first row must name the columns. Line 1 holds a quote that is not closed."),
        (b"," * 300 + b"name", "at most 256 columns"),
        (b"PK\x03\x04\x14\0[Content_Types].xml", "is an Excel workbook: save the sheet as CSV (UTF-8)"),
        (b"\xd0\xcf\x11\xe0\n\0", "is an old Excel or Office file: save the sheet as CSV"),
        (b"\x1f\x8b\x08", "is a gzip archive: unpack it first"),
        (b"<!DOCTYPE html><table>", "is an HTML or XML page"),
        (b'{ "name": "Secretname"}\n', "is NDJSON: send it to /v1/predict/stream"),
        (b'{\n "name": "Secretname"\n}\n', "is JSON over several lines: send one object a line"),
        (b'[\n {"name": "Secretname"}\n]\n', "is JSON over several lines: send one object a line"),
        (b"{\\rtf1 Secretname", "is an RTF document: write the table as CSV"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_is_no_table_with_the_column_gets_its_own_sentence(
    client: httpx.Client, body: bytes, sentence: str
) -> None:
    answer = client.post(FILE, content=body, headers=CSV)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert sentence in answer.json()["detail"]
    assert not any(name in answer.text for name in (SECRET, "Zqxjcolu"))


@pytest.mark.parametrize(
    "body",
    [
        b"id;name\n7;Kowalska\n",
        b"id\tname\n7\tKowalska\n",
        b"id|name\r\n7|Kowalska\r\n",
        b"sep=;\r\nid;name\r\n7;Kowalska\r\n",
        b"\n id , Name \n7,Kowalska\n",
        b"id,NAME\n7,Kowalska\n",
        b"id,name\r7,Kowalska\r",
        '"ID";"name"\n"7";"Kowalska"\n'.encode("utf-16"),
        "\ufeffid\tname\r\n7\tKowalska\r\n".encode("utf-16-be"),
    ],
)
def test_the_dialect_is_found_out(client: httpx.Client, body: bytes) -> None:
    answer = client.post(FILE, content=body, headers=CSV, params={"top_k": 1})
    assert answer.status_code == 200, answer.text
    text = answer.content.decode("utf-8-sig")
    delimiter = next(character for character in ";\t|," if character in text)
    declaration, _, table = text.rpartition("sep=;\r\n")
    assert not declaration
    (row,) = csv.DictReader(io.StringIO(table, newline=""), delimiter=delimiter)
    cells = {key.strip().lower(): value for key, value in row.items()}
    (wanted,) = _predict(client, ["Kowalska"], top_k=1)
    assert cells | {"probability_1": float(cells["probability_1"])} == {
        "id": "7",
        "name": "Kowalska",
        "label_1": wanted["labels"][0],
        "abstained": wanted["abstained"] or "",
        "error": "",
        "probability_1": wanted["probabilities"][0],
    }
    assert answer.content.startswith(b"\xef\xbb\xbf") == (b"\xff" in body)


def test_a_name_may_stand_in_two_columns(client: httpx.Client) -> None:
    rows = _file(client, b"First,LAST,name\nAnna, Kowalska,x\n,Jordan,x\n,,x\n", column="first,last", top_k=1)
    expected = _predict(client, ["Anna Kowalska", "Jordan"], top_k=1)
    assert [float(row["probability_1"]) for row in rows[:2]] == [answer["probabilities"][0] for answer in expected]
    assert rows[0]["LAST"] == " Kowalska"
    assert rows[2]["error"] == "A name needs at least one visible character."
    assert _file(client, b'"a,b",a\nJordan,x\n', column="a,b", top_k=1)[0]["error"] == ""


def test_a_file_that_was_answered_before_keeps_its_columns(client: httpx.Client) -> None:
    once = client.post(FILE, content=b"name\nJordan\n", headers=CSV, params={"top_k": 1})
    (row,) = _file(client, once.content, top_k=1)
    added = ["label_1", "probability_1", "abstained", "error"]
    assert list(row) == ["name", *added, *(f"{column}_2" for column in added)]
    assert row["label_1"] == row["label_1_2"] != ""


def test_tab_separated_values_are_taken_and_given(client: httpx.Client) -> None:
    headers = {"content-type": "text/tab-separated-values"}
    answer = client.post(FILE, content=b"name\nSmith, Ann\n", headers=headers, params={"top_k": 1})
    assert answer.headers["content-type"] == "text/tab-separated-values; charset=utf-8"
    header, row = answer.text.splitlines()
    assert header == "name\tlabel_1\tprobability_1\tabstained\terror"
    assert row.startswith("Smith, Ann\t")


# --- forms


def _form(
    content: bytes, head: str = 'name="file"; filename="names.csv"', more: bytes = b"", end: bytes = b"--"
) -> bytes:
    part = b"--b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (head.encode(), content)
    return part + more + b"--b" + end + b"\r\n"


FORM = {"content-type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("head", "content"),
    [
        ('name="file"; filename="names.csv"', "name\nZoë\n".encode()),
        ('name="file"', "name\nZoë\n".encode()),
        ('name="x"; filename="n.xls"\r\nContent-Type: application/vnd.ms-excel', "name\nZoë\n".encode("utf-16")),
        ('name="x"; filename="n.csv"\r\nContent-Type: text/csv; charset=windows-1252', "name\nZoë\n".encode("cp1252")),
    ],
)
def test_the_file_of_a_form_is_answered_as_the_body_is(client: httpx.Client, head: str, content: bytes) -> None:
    plain = client.post(FILE, content="name\nZoë\n".encode(), headers=CSV)
    answer = client.post(FILE, content=_form(content, head), headers=FORM)
    assert (answer.status_code, answer.headers["content-type"]) == (200, plain.headers["content-type"])
    assert answer.content.removeprefix(b"\xef\xbb\xbf") == plain.content


def test_a_client_library_s_form_is_understood(client: httpx.Client) -> None:
    answer = client.post(FILE, files={"upload": ("n.csv", b"id;name\n1;Jordan\n")}, params={"top_k": 1})
    assert answer.text.startswith("id;name;label_1;probability_1;abstained;error\r\n1;Jordan;")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "sentence"),
    [
        (_form(b"Secretname", 'name="column"'), None, 422, "options, such as `column`, stand in the query"),
        (_form(b"name\n\xffSecretname")[:-8], None, 400, "ends before its last boundary"),
        (b"Secretname", None, 400, "not a form"),
        (b"--b\r\nSecretname", None, 400, "ends before"),
        (b"--b--\r\n", None, 422, "The file is empty"),
        (b"", None, 400, "ends before"),
        (_form(b"name\nA"), "multipart/form-data", 400, "must declare its boundary"),
        (_form(b"name\nA"), "multipart/form-data; boundary=" + "b" * 300, 400, "too long"),
        (_form(b"name\nA", 'name="file"\r\nContent-Type: text/csv; charset=Secretname'), None, 415, "charset"),
        (_form(b"name\nA", 'name="file"\r\nContent-Transfer-Encoding: base64'), None, 415, "transfer encoding"),
        (_form(b"name\nA", 'name="file"' + "\r\nX: y" * 30), None, 400, "not a form"),
        (_form(b"name\nA", 'name="' + "a" * 9000 + '"'), None, 400, "not a form"),
        (_form(b"city\nSecretname"), None, 422, "one column only"),
    ],
)
def test_a_form_that_holds_no_file_is_a_problem(
    *, client: httpx.Client, body: bytes, content_type: str | None, status: int, sentence: str
) -> None:
    answer = client.post(FILE, content=body, headers={"content-type": content_type or FORM["content-type"]})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert sentence in answer.json()["detail"]
    assert SECRET not in answer.text


def test_a_second_part_ends_the_answer(client: httpx.Client) -> None:
    more = _form(b"surname", 'name="column"', end=b"")
    answer = client.post(FILE, content=_form(b"name\nJordan", more=more[:-5]), headers=FORM)
    assert answer.status_code in {200, 422}
    assert "holds one file and nothing else" in answer.text


def test_a_byte_order_mark_stays(client: httpx.Client) -> None:
    answer = client.post(FILE, content=b'\xef\xbb\xbf"name";id\nJordan;1\n', headers=CSV, params={"delimiter": ";"})
    assert answer.content.startswith(b"\xef\xbb\xbfname;id;label_1;")


@pytest.mark.parametrize("charset", ["windows-1252", "ISO-8859-15", '"iso-8859-1"', "utf-8"])
def test_a_file_is_read_in_the_charset_that_it_declares(client: httpx.Client, charset: str) -> None:
    body = "straße,name\nM\u00fcller,Jos\u00e9\n"
    headers = {"content-type": f"text/csv;charset={charset}"}
    answer = client.post(FILE, content=body.encode(charset.strip('"')), headers=headers)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text == client.post(FILE, content=body.encode(), headers=CSV).text
    assert "Jos\u00e9" in answer.text


def test_a_row_that_is_not_in_the_declared_charset_gets_an_error(client: httpx.Client) -> None:
    headers = {"content-type": "text/csv; charset=windows-1252"}
    answer = client.post(FILE, content=b"name\nJordan\nJ\x81rdan\n", headers=headers)
    good, bad = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (good["error"], bad["error"]) == ("", "Line 3 is not WINDOWS-1252.")


@pytest.mark.parametrize("path", [STREAM, FILE, "/get_prediction", "/v1/predict", "/v1/explain"])
@pytest.mark.parametrize("charset", ["utf-16", "Secretname", "rot13", "utf-8; charset=windows-1252", ""])
def test_an_unknown_charset_is_refused_before_anything_is_read(client: httpx.Client, path: str, charset: str) -> None:
    media_type = {STREAM: "application/x-ndjson", FILE: "text/csv"}.get(path, "application/json")
    answer = client.post(
        path, content=b'{"name": "Jordan"}', headers={"content-type": f"{media_type}; charset={charset}"}
    )
    assert answer.status_code == 415
    assert SECRET not in answer.text


def test_a_stream_may_begin_with_a_byte_order_mark(client: httpx.Client) -> None:
    bom = "\ufeff".encode()
    longest = b'"' + b"a" * (MAX_LINE_BYTES - 2) + b'"'
    for line in (b'"Jordan"', longest, longest + b" "):
        assert _stream(client, bom + line) == _stream(client, line)


# --- however it comes


@pytest.fixture(scope="module")
def served(bundle: Path) -> ServedModel:
    return ServedModel.load(bundle, threads=1)


def _feed(answers: Answers, chunks: Sequence[bytes]) -> bytes:
    return b"".join(
        answers.answer(batch).body
        for place, chunk in enumerate(chunks)
        for batch in answers.read(chunk, last=place == len(chunks) - 1)
    )


def _cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    return [body[a:b] for a, b in pairwise([0, *sorted(place % (len(body) + 1) for place in places), len(body)])]


PLACES = st.lists(st.integers(0, 100_000), max_size=20)
LINES = st.sampled_from(
    [
        *(json.dumps(name, ensure_ascii=False).encode() for name in NAMES),
        *BAD_LINES.values(),
        b'{"name": "Jordan", "id": "\xc3\xa9"}\r',
        b"",
        b" " * MAX_LINE_BYTES,
        b'"' + b"a" * MAX_LINE_BYTES,
    ]
)


@settings(deadline=None, max_examples=50)
@given(lines=st.lists(LINES, max_size=12), places=PLACES)
def test_a_stream_may_be_cut_anywhere(served: ServedModel, lines: list[bytes], places: list[int]) -> None:
    body = b"\n".join(lines)
    whole, parts = (
        _feed(NdjsonAnswers(served, Metrics(), Options()), chunks) for chunks in ([body], _cut(body, places))
    )
    assert parts == whole
    assert whole.count(b"\n") == sum(len(line) > MAX_LINE_BYTES or bool(line.strip()) for line in lines)


@settings(deadline=None, max_examples=100)
@given(
    pieces=st.lists(
        st.sampled_from([b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"Jordan", "é".encode(), b"\xff", b"a" * 70_000])
        | st.binary(max_size=3),
        max_size=20,
    ),
    places=PLACES,
)
def test_a_file_of_anything_may_be_cut_anywhere(served: ServedModel, pieces: list[bytes], places: list[int]) -> None:
    body = b"\xef\xbb\xbfid,name\n" + b"".join(pieces)
    whole, parts = (_feed(CsvAnswers(served, Metrics(), Options()), chunks) for chunks in ([body], _cut(body, places)))
    assert parts == whole
    form = FormFile(CsvAnswers(served, Metrics(), Options()), "multipart/form-data; boundary=_b_")
    head, end = b'--_b_\r\nContent-Disposition: form-data; name="file"\r\n\r\n', b"\r\n--_b_--\r\n"
    assert _feed(form, _cut(head + body + end, places)) == whole
    rows = list(csv.reader(io.StringIO(whole.decode(), newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}


CELLS = st.text(st.sampled_from('a"\n\r,;|\t'), max_size=8) | st.text(st.characters(codec="utf-8"), max_size=8)


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8),
    delimiter=st.sampled_from(",;|\t"),
    bom=st.booleans(),
    places=PLACES,
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_file_comes_back_as_it_was(
    *, served: ServedModel, rows: list[tuple[str, str, str]], delimiter: str, bom: bool, places: list[int], end: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator=end).writerows(
        [("a", "name", "b"), *rows]
    )
    body = text.getvalue().encode("utf-8-sig" if bom else "utf-8")
    answers = CsvAnswers(served, Metrics(), Options(top_k=1), column="name", delimiter=delimiter)
    back = list(
        csv.reader(io.StringIO(_feed(answers, _cut(body, places)).decode("utf-8-sig"), newline=""), delimiter=delimiter)
    )
    assert [tuple(row[:3]) for row in back] == [("a", "name", "b"), *rows]
    assert back[0][3:] == ["label_1", "probability_1", "abstained", "error"]
    for row in back[1:]:
        assert not re.match(r"[=+\-@]", "".join(row[3:]))
        assert row[3] or row[5] or row[6]


# --- between batches


async def _ask(response: BulkResponse, chunks: Sequence[bytes]) -> bytes:
    """Return the body of a response to a body in chunks."""
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request"})
    pieces: list[bytes] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        pieces.append(message.get("body", b""))

    await response({"type": "http"}, receive, send)
    return b"".join(pieces)


@pytest.mark.parametrize("kind", ["lines", "rows"])
def test_each_batch_is_charged_before_it_is_answered(served: ServedModel, kind: str) -> None:
    charged: list[int] = []

    class Quota(NameQuota):
        async def wait_for(self, n: int) -> None:
            charged.append(n)
            await asyncio.sleep(0)

    answers: Answers = (
        NdjsonAnswers(served, Metrics(), Options())
        if kind == "lines"
        else CsvAnswers(served, Metrics(), Options(), column="name", delimiter=",")
    )
    body = [b'"Jordan"\n' * 300, b'\n"Jordan"\n'] if kind == "lines" else [b"name\n", b"Jordan\n" * 300, b"Jordan\n"]

    async def ask() -> bytes:
        return await _ask(BulkResponse(answers, Workers(), quota=Quota()), body)

    assert asyncio.run(ask()).count(b"\n") == sum(charged) + (kind == "rows")
    assert charged == [256, 44, 1]


def test_what_a_small_quota_admits_is_answered_at_once(served: ServedModel) -> None:
    sent: list[bytes] = []
    forever = asyncio.Event()

    class Quota(NameQuota):
        slice_size = 5
        left = 10

        async def wait_for(self, n: int) -> None:
            self.left -= n
            if self.left < 0:
                await forever.wait()

    async def ask() -> None:
        messages: list[Message] = [{"type": "http.request", "body": b'"Jordan"\n' * 100}, {"type": "http.disconnect"}]

        async def receive() -> Message:
            return messages.pop(0)

        async def send(message: Message) -> None:
            sent.append(message.get("body", b""))

        answers = NdjsonAnswers(served, Metrics(), Options())
        await BulkResponse(answers, Workers(), quota=Quota())({"type": "http"}, receive, send)

    asyncio.run(asyncio.wait_for(ask(), 20))  # the client has left, so nothing waits for the quota any more
    assert b"".join(sent).count(b"\n") == 10


@pytest.mark.parametrize(("seconds", "n_answered"), [(600, 258), (0, 257)])
def test_a_stream_that_goes_on_ends_before_the_service_does(
    served: ServedModel, seconds: float, n_answered: int
) -> None:
    """It says where to go on, once time is up."""
    lifecycle, body = Lifecycle(), [b'"Jordan"\n' * 256, b'"Jordan"\n', b'"Jordan"\n']

    class Quota(NameQuota):
        async def wait_for(self, n: int) -> None:
            if n == 1:
                lifecycle.drain(seconds)

    async def ask() -> list[dict[str, Any]]:
        answers = NdjsonAnswers(served, Metrics(), Options())
        response = BulkResponse(answers, Workers(), quota=Quota(), lifecycle=lifecycle)
        return [json.loads(line) for line in (await _ask(response, body)).splitlines()]

    lines = asyncio.run(ask())
    ends = [(line["error"]["line"], line["error"]["status"]) for line in lines if "error" in line]
    assert len(lines) - len(ends) == n_answered
    assert ends == ([] if n_answered == 258 else [(258, 503)])


def test_a_stream_that_waits_for_its_quota_does_not_hold_up_the_end(served: ServedModel) -> None:
    lifecycle, forever = Lifecycle(), asyncio.Event()

    class Quota(NameQuota):
        async def wait_for(self, n: int) -> None:
            if n == 1:
                lifecycle.drain(600)
                await forever.wait()

    async def ask() -> bytes:
        response = BulkResponse(
            NdjsonAnswers(served, Metrics(), Options()), Workers(), quota=Quota(), lifecycle=lifecycle
        )
        return await asyncio.wait_for(_ask(response, [b'"Jordan"\n' * 256, b'"Jordan"\n']), 30)

    last = json.loads(asyncio.run(ask()).splitlines()[-1])
    assert (last["error"]["line"], last["error"]["status"]) == (257, 503)


@pytest.mark.parametrize(("path", "content_type"), [(STREAM, "application/x-ndjson"), (FILE, "text/csv")])
def test_a_live_stream_ends_with_a_last_line_on_sigterm(
    bundle: Path, tmp_path: Path, path: str, content_type: str
) -> None:
    server = start(bundle, tmp_path / "log", SHUTDOWN_GRACE_SECONDS="4")
    sender = StreamClient(server, path, content_type)
    lines = 0
    sender.send(b"name\n")  # a header, or what is no JSON
    sender.receive_head()
    received = [sender.receive()]
    server.process.terminate()
    while b"about to end" not in received[-1]:
        sender.send(b'"Jordan"\n')
        lines += 1
        received.append(sender.receive())
    assert sender.receive() == b""
    sender.reset()
    assert stop(server) == 0
    assert len(b"".join(received).splitlines()) == lines + 1  # the last one sent has no answer, and the end is one
    last = received[-1].decode()
    assert (f'"line":{lines + 1},"status":503' if path == STREAM else f"Rows answered: {lines - 1}.") in last


def test_an_idle_stream_does_not_hold_up_the_end_and_its_client_learns_of_it(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", SHUTDOWN_GRACE_SECONDS="600")
    sender = StreamClient(server)
    sender.send(b'"Jordan"\n"Jord')
    sender.receive_head()
    sender.receive()
    server.process.terminate()
    until(lambda: sender.socket.recv(65536, socket.MSG_PEEK).endswith(b"0\r\n\r\n"))
    for _ in range(3):  # a client that has not read yet goes on: that must not take the last line from it
        sender.send(b"x" * 100_000)
        time.sleep(0.05)
    assert json.loads(sender.receive())["error"] == {
        "line": 2,
        "status": 503,
        "detail": "The service is about to end; send the rest again.",
    }
    sender.reset()
    assert stop(server) == 0


# --- what it costs the service


def _distinct_names(line: bytes, n_bytes: int) -> list[bytes]:
    """Return lines of so many bytes in all, each with another name of six letters."""
    letters = b"abdegiklmnorstuz"
    n = n_bytes // len(line % (b"a" * 6))
    return [line % bytes(letters[i >> shift & 15] for shift in (0, 4, 8, 12, 2, 6)) for i in range(n)]


@pytest.mark.parametrize("kind", ["lines", "rows"])
@pytest.mark.parametrize(
    ("line", "at_most"),
    [(b"\n", 0.2), (b"\r\n", 0.2), (b" \n", 2), (b'""\n', 2), (b",\n", 2), (b'x","\n', 2)],
    ids=repr,
)
def test_lines_without_a_name_cost_no_more_than_names(
    served: ServedModel, kind: str, line: bytes, at_most: float
) -> None:
    def cost(body: bytes) -> float:
        rows = CsvAnswers(served, Metrics(), Options(), column="name", delimiter=",")
        answers = rows if kind == "rows" else NdjsonAnswers(served, Metrics(), Options())
        started = time.process_time()
        _feed(answers, [b"name\n"[: 5 * (kind == "rows")], body])
        return time.process_time() - started

    names = cost(b"".join(_distinct_names(b"%b\n" if kind == "rows" else b'"%b"\n', 100_000)))
    nothing = cost(line * (100_000 // len(line)))
    assert nothing < names * at_most


def _memory(server: Server, field: str) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (kib,) = re.findall(rf"{field}:\s+(\d+) kB", status)
    return int(kib) * 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is Linux's to tell")
@pytest.mark.parametrize(("path", "headers", "begin"), [(STREAM, NDJSON, b'"'), (FILE, CSV, b'name\n"')])
def test_a_line_of_50_mb_is_not_kept(server: Server, path: str, headers: dict[str, str], begin: bytes) -> None:
    def body() -> Iterator[bytes]:
        yield begin
        for _ in range(50):
            yield b"a" * 1_000_000

    server.client.post(path, content=begin, headers=headers)
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # forget the peak
    before = _memory(server, "VmHWM")
    answer = server.client.post(path, content=body(), headers=headers)
    assert answer.status_code == 200
    assert "may have at most" in answer.text.splitlines()[-1]
    assert _memory(server, "VmHWM") - before < 8_000_000


def _send_until_blocked(sender: StreamClient, piece: bytes) -> int:
    for n_sent in range(1000):
        try:
            sender.send(piece)
        except TimeoutError:
            return n_sent
    return 1000


def test_a_client_that_does_not_read_gets_backpressure_and_may_disconnect(server: Server) -> None:
    counter = f'http_requests_total{{method="POST",route="{STREAM}",status="499"}}'
    requests, answered = metric_sum(server.client, counter), metric_sum(server.client, "predictions_total{")
    sender = StreamClient(server)
    sender.socket.settimeout(1)
    sent = _send_until_blocked(sender, b'"Jordan"\n' * 10_000)
    assert sent < 1000
    assert server.client.get("/livez").status_code == 200
    assert metric_sum(server.client, counter) == requests
    sender.reset()
    until(lambda: metric_sum(server.client, counter) > requests)
    assert metric_sum(server.client, "predictions_total{") - answered < sent * 10_000
    log = [json.loads(line) for line in server.read_log().splitlines()]
    assert not [line for line in log if line["level"] not in {"DEBUG", "INFO"}]


@pytest.mark.parametrize("piece", [b"", b'"Jor'])
def test_a_client_that_disconnects_early_is_no_failure(server: Server, piece: bytes) -> None:
    counter = f'http_requests_total{{method="POST",route="{STREAM}",status="499"}}'
    before = metric_sum(server.client, counter)
    sender = StreamClient(server)
    if piece:
        sender.send(piece)
    sender.reset()
    until(lambda: metric_sum(server.client, counter) > before)


# --- bounds


@pytest.fixture(scope="module")
def bounded(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(
        bundle, tmp_path_factory.mktemp("bounded") / "log", MAX_STREAM_BYTES="2000", MAX_FILE_BYTES="100000"
    )
    yield running
    stop(running)


def test_a_declared_length_over_the_bound_is_refused_unread(bounded: Server) -> None:
    for path, headers, body in ((STREAM, NDJSON, b'"Jordan"\n' * 1000), (FILE, CSV, b"name\n" + b"Jordan\n" * 50_000)):
        answer = bounded.client.post(path, content=body, headers=headers)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "content_type", "begin", "piece", "error"),
    [
        (
            STREAM,
            "application/x-ndjson",
            b'"Jordan"\n',
            b'"Jordan"\n' * 300,
            b'{"error":{"line":2,"status":413,"detail":"A',
        ),
        (FILE, "text/csv", b"name\n", b"Jordan\n" * 20_000, b",,,,,,,,A"),
    ],
)
def test_a_body_that_grows_over_the_bound_ends_with_an_error(
    *, bounded: Server, path: str, content_type: str, begin: bytes, piece: bytes, error: bytes
) -> None:
    sender = StreamClient(bounded, path, content_type)
    sender.send(begin)
    sender.receive_head()
    received = [sender.receive()]
    assert b"at most" not in received[0]
    sender.send(piece)
    while received[-1]:
        received.append(sender.receive())
    *answers, last = b"".join(received).splitlines()
    n_answered = len(answers) - (path == FILE)  # without the header
    end = b'"}}' if path == STREAM else b" Rows answered: %d." % n_answered
    assert re.fullmatch(re.escape(error) + rb" request body may have at most \d+ bytes\." + re.escape(end), last)
    sender.reset()


def test_files_and_streams_have_bounds_of_their_own(client: httpx.Client) -> None:
    rows = b"Jordan\n" * 10_000  # more than JSON routes take
    assert len(_file(client, b"name\n" + rows)) == 10_000


# --- the document


def test_openapi_examples_are_answered_as_it_says(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path in (STREAM, FILE):
        operation = paths[path]["post"]
        content = operation["requestBody"]["content"]
        for accepted, body in content.items():
            if accepted == "multipart/form-data":
                continue
            answer = client.post(path, content=body["example"], headers={"content-type": accepted})
            assert answer.status_code == 200
            assert answer.headers["content-type"].partition(";")[0] in operation["responses"]["200"]["content"]
    example = paths[FILE]["post"]["responses"]["200"]["content"]["text/csv"]["example"]
    rows = _file(client, paths[FILE]["post"]["requestBody"]["content"]["text/csv"]["example"].encode(), top_k=1)
    assert list(rows[0]) == example.splitlines()[0].split(",")
    good, bad = _stream(client, b'{"name": "Jordan", "id": 7}\n{"name": "", "id": 7}')
    assert StreamedPrediction.model_validate(good).model_dump(mode="json") == good
    assert StreamedError.model_validate(bad).model_dump(mode="json") == bad
