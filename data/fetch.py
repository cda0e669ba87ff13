"""Packages of npm: fetched for this run, checked by their digests."""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
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
