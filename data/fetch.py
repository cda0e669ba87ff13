"""Packages of npm and Debian: fetched for this run, checked by their digests. Knows no list."""

import base64
import hashlib
import io
import subprocess
import tarfile
import tempfile
import urllib.request
from contextlib import closing
from functools import cache
from pathlib import Path

FETCHED = tempfile.TemporaryDirectory()
NPM = {
    "@faker-js/faker": (
        "10.6.0",
        "3RQHgEtvL1Frl/d1cSreo7qhJ3Gk1OdNUai/CtZ8G+wYeRQnJih3s9xJ9/kgYekPQRdwgh0HXRPqMlzWGwivIQ==",
    ),
    "@zxcvbn-ts/language-de": (
        "3.0.2",
        "CPl2314qWtnJl4EkeEqFbL4unP6yEAHO976ER+df8CQcKsF4FxdZYEahkleWU66dhNI2VKnmJKNMzq8QtHQKcw==",
    ),
    "@zxcvbn-ts/language-es-es": (
        "4.1.2",
        "zFCgmyqi/VBsn1KWoM/SqZU1g+mNwgLHq5LRunw6zrsEjn6ZnhSC/wopxdSFgIIhsQyqoanExrZyJci6Z2rlHg==",
    ),
    "@zxcvbn-ts/language-fi": (
        "3.0.2",
        "vWk/uPFrbCEbGa2IDwFlj3wOQF/FQh4WD3Uh6GZCP8G8K3s6WlLXxCflzT7VOoiAvtZBKktq98uJU4Fqh2ImoA==",
    ),
    "@zxcvbn-ts/language-nl-be": (
        "3.0.2",
        "TxMA71FRSjxpS6KzdVp2k20Ct2fxokK/cdn5h7xgLpFvDZMyM1qT8j46Sk+cvk16hYAzU2kS7NXiVG5E8NCvVw==",
    ),
    "@zxcvbn-ts/language-pl": (
        "3.0.2",
        "PtH5PomFDP5XHQrMb9JSOyklOfhKbgU0WcQHxIU7fr3H4/WagGzCoeakGtBD4irA2ucrBNn9qpK2YIGIvpqkAA==",
    ),
}
PHP_FAKER = (
    "http://deb.debian.org/debian/pool/main/p/php-faker/php-faker_1.20.0+dfsg-1_all.deb",
    "25dc2058d5d33aae702c9a59aa0b13046d46536022c7774fa3042fd601dd7b6f",
)


@cache
def npm_package(package: str) -> Path:
    """Fetch an npm package and return the folder that it unpacks to."""
    version, expected = NPM[package]
    folder = Path(tempfile.mkdtemp(dir=FETCHED.name))
    pack = ["npm", "pack", "--silent", f"{package}@{version}"]
    tarball = folder / subprocess.check_output(pack, cwd=folder, text=True).strip()
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if digest != expected:
        raise SystemExit(f"{package} {version}: digest {digest} is not the pinned one")
    with tarfile.open(tarball) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


@cache
def php_faker() -> Path:
    """Fetch Debian's package, an `ar` archive of tar files, and return the folder of its lists."""
    url, expected = PHP_FAKER
    with closing(urllib.request.urlopen(url, timeout=60)) as response:  # noqa: S310 (the digest is checked)
        archive: bytes = response.read()
    if hashlib.sha256(archive).hexdigest() != expected:
        raise SystemExit(f"{url}: its digest is not the pinned one")
    position = len(b"!<arch>\n")
    while not archive.startswith(b"data.tar", position):
        size = int(archive[position + 48 : position + 58])
        position += 60 + size + size % 2
    with tarfile.open(fileobj=io.BytesIO(archive[position + 60 :])) as data:
        data.extractall(FETCHED.name, filter="data")
    return Path(FETCHED.name, "usr/share/php/Faker/Provider")
