"""Words that stand in every name that is sent, and the search for them where no name may be."""

import json
from urllib.parse import quote

MARKERS = ("Qzvarnok", "Xwqelbrim", "Zqöjtfåk")


def _forms(marker: str) -> set[bytes]:
    """Return how a service may write a marker: as it is, escaped, quoted, folded or read as Latin-1."""
    folded = marker.translate(str.maketrans("öå", "oa"))
    raw = marker.encode()
    texts = {marker, folded, json.dumps(marker)[1:-1], quote(marker), raw.decode("latin-1"), repr(raw)[2:-1]}
    return {text.lower().encode() for text in texts}


_FORMS = {form: marker for marker in MARKERS for form in _forms(marker)}


def find_marker(content: bytes) -> str | None:
    """Return a marker that stands in some form in what was written, or None."""
    small = content.lower() if content.isascii() else content.decode("utf-8", "replace").lower().encode()
    return next((marker for form, marker in _FORMS.items() if form in small), None)
