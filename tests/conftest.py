"""What every test may ask for: a broker, a worker, a mail server and a browser, all real ones.

The people are in tests/people.py, the making of rows in tests/factories.py.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.processes", "tests.smtp", "tests.browser", "tests.people"]

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


@pytest.fixture
def site(live_server, settings):
    """The whole site on loopback, with links in mails that lead to it. `site.url` is its address."""
    settings.BASE_URL = live_server.url
    settings.CSRF_TRUSTED_ORIGINS = [live_server.url]
    return live_server
