"""What every test shares: no request log, one thread a network, as threads wait for each other, and kills."""

import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest

os.environ.setdefault("NAME_CLASSIFIER_REQUEST_LOG", "off")  # tests of it switch it on, in folders of their own
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; commands that tests run inherit it


@pytest.fixture
def kill_at() -> Callable[[int, Callable[[], object]], bool]:
    """Runs an action in a process that ends at once before its nth change on disk; says whether it did."""
    changes = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate")

    def run(step: int, action: Callable[[], object]) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forking beside threads: this child touches none
            child = os.fork()
        if child == 0:
            steps = iter(range(step))

            def hook(event: str, arguments: tuple[Any, ...]) -> None:
                writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
                if (writes or event in changes) and next(steps, None) is None:
                    os._exit(9)

            sys.addaudithook(hook)
            try:
                action()
            finally:
                os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    return run
