"""The fixtures, which pytest loads by itself once this package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simulated_notion.process import SimulatedNotion


@pytest.fixture(scope="session")
def simulated_notion_options() -> dict[str, Any]:
    """What :class:`SimulatedNotion` is started with. Define it in ``conftest.py`` to change that."""
    return {}


@pytest.fixture(scope="session")
def simulated_notion_process(simulated_notion_options: dict[str, Any]) -> Iterator[SimulatedNotion]:
    """One process for all tests; with pytest-xdist, one for each worker."""
    with SimulatedNotion(**simulated_notion_options) as notion:
        yield notion


@pytest.fixture
def simulated_notion(simulated_notion_process: SimulatedNotion) -> SimulatedNotion:
    """A simulated Notion as at its start: every test gets it reset."""
    simulated_notion_process.reset()
    return simulated_notion_process
