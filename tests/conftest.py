"""What every test may ask for: a broker, a worker, a mail server and a browser, all real ones.

The people are in tests/people.py, the making of rows in tests/factories.py.
"""

import functools
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation
from hypothesis import HealthCheck, settings

from procedures.loading import CATALOGUE, drafts, read_catalogue
from procedures.loading.catalogue import Catalogue

pytest_plugins = [
    "tests.migrated",
    "tests.grounds",
    "tests.beside",
    "tests.processes",
    "tests.smtp",
    "tests.browser",
    "tests.people",
    "tests.catalogue",
]

# Playwright keeps an event loop in the thread that runs the tests, and Django would refuse
# to reach the database there; no test shares a connection between the two.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# Property tests: few examples in the normal run, many in `make faults`. No deadline for one
# example: on a busy machine it would say nothing about the code.
settings.register_profile(
    "normal", max_examples=40, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile("full", settings.get_profile("normal"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "normal"))


def pytest_collection_finish() -> None:
    """Look for garbage no more among the thousands of tests that were collected: they live to the end."""
    gc.freeze()


@pytest.fixture(autouse=True)
def no_language_is_left_behind() -> Iterator[None]:
    """A request leaves its reader's language in force in its thread; the next test is not that reader."""
    yield
    translation.deactivate()


@pytest.fixture
def site(live_server, settings):
    """The whole site on loopback, with links in mails that lead to it. `site.url` is its address."""
    settings.BASE_URL = live_server.url
    settings.CSRF_TRUSTED_ORIGINS = [live_server.url]
    return live_server


@pytest.fixture(scope="session", autouse=True)
def catalogue_read_once() -> Iterator[None]:
    """Read and check the real catalogue once for all tests that load it: its files do not change in a run.

    Other folders, which tests make and change, are read each time.
    """
    kept = functools.cache(read_catalogue)

    def read(folder: Path = CATALOGUE) -> Catalogue:
        return kept(folder) if folder == CATALOGUE else read_catalogue(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drafts, "read_catalogue", read)
        yield
