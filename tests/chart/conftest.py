"""Without helm, nothing here can run."""

import shutil

import pytest

from tests.chart.rendering import HELM


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if shutil.which(HELM) is None:
        skip = pytest.mark.skip(reason=f"{HELM} is not on PATH: the chart is not checked")
        for item in items:
            if "tests/chart/" in str(item.path):
                item.add_marker(skip)
