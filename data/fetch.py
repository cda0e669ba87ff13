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
    "@zxcvbn-ts/language-cs": (
        "3.0.1",
        "GXUFxEAwYUCFzYdArP5MpEGX7NftmwIWNZxiRwanUa/ZiLWCML9l2zlTDb+BIUqCwfAfEue1Ar5iru4iWWBXaQ==",
    ),
    "@zxcvbn-ts/language-de": (
        "3.0.2",
        "CPl2314qWtnJl4EkeEqFbL4unP6yEAHO976ER+df8CQcKsF4FxdZYEahkleWU66dhNI2VKnmJKNMzq8QtHQKcw==",
    ),
    "@zxcvbn-ts/language-en": (
        "4.1.1",
        "6UdzuBd3Uex8TKubohcn+uXRVAH34Zjs2eCfT4hQVo9zeTy7AkQRQfdV4OnHR5hQfW/XBrK/AGTZk7VBWh7wwQ==",
    ),
    "@zxcvbn-ts/language-es-es": (
        "4.1.2",
        "zFCgmyqi/VBsn1KWoM/SqZU1g+mNwgLHq5LRunw6zrsEjn6ZnhSC/wopxdSFgIIhsQyqoanExrZyJci6Z2rlHg==",
    ),
    "@zxcvbn-ts/language-fi": (
        "3.0.2",
        "vWk/uPFrbCEbGa2IDwFlj3wOQF/FQh4WD3Uh6GZCP8G8K3s6WlLXxCflzT7VOoiAvtZBKktq98uJU4Fqh2ImoA==",
    ),
    "@zxcvbn-ts/language-fr": (
        "4.1.2",
        "xEex2n4J9UBhkASw6Vt2lUp9+eJgP0KquNiyh/D3IAP/HbnqRdd1oBkAiynSsRhJ9olmRnZVfYghaU5N6UKNjw==",
    ),
    "@zxcvbn-ts/language-id": (
        "4.1.1",
        "c2u8+tgR6GV4HpovPs3jv7nS2+U3+lfoFACHdQ0LzrzBKjCln8TbQv6Mw3Xb58UEyMofDpOBpQlo/67iXN+0IA==",
    ),
    "@zxcvbn-ts/language-it": (
        "3.0.2",
        "VMC7JJZ855wPhklADB43kxRVWpbWIsVWjvrC8EACBoNqcFyk2DLD+WeoAtazM08ovM0wi/mN+wc0Sa5iFtOtvQ==",
    ),
    "@zxcvbn-ts/language-nl-be": (
        "3.0.2",
        "TxMA71FRSjxpS6KzdVp2k20Ct2fxokK/cdn5h7xgLpFvDZMyM1qT8j46Sk+cvk16hYAzU2kS7NXiVG5E8NCvVw==",
    ),
    "@zxcvbn-ts/language-pl": (
        "3.0.2",
        "PtH5PomFDP5XHQrMb9JSOyklOfhKbgU0WcQHxIU7fr3H4/WagGzCoeakGtBD4irA2ucrBNn9qpK2YIGIvpqkAA==",
    ),
    "@zxcvbn-ts/language-pt-br": (
        "4.1.1",
        "v5F/rtlbh+81MgonI3xRcwn4QVz60YBImrdBoUlYkofvuVNlF/YoLTJNfQcNGqnO9DYdiivDx8NGyYGfebPHOw==",
    ),
    "stopwords-iso": (
        "1.1.0",
        "I6GPS/E0zyieHehMRPQcqkiBMJKGgLta+1hREixhoLPqEA0AlVFiC43dl8uPpmkkeRdDMzYRWFWk5/l9x7nmNg==",
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
