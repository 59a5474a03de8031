"""Which tests run beside which database: what the kind cannot change is run once, what only a server can do there."""

from typing import Any

import pytest
from django.db import connection

from tests.grounds import COMMITTING

# Whoever asks for none of these, and has no mark either, is refused the database by pytest-django.
OPENS_DATABASE = {"db", *COMMITTING}


def opens_database(item: Any) -> bool:
    """Tell whether a test may reach the database: by a fixture, its own or another's, or by its mark."""
    return bool(OPENS_DATABASE & {*item.fixturenames} or item.get_closest_marker("django_db"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[Any]) -> None:
    """Mark what opens no database with `once`, and leave out what the database in use cannot do.

    Before pytest chooses by marks: `-m "not once"` is then all that a second database has to say.
    """
    for item in items:
        if not opens_database(item):
            item.add_marker("once")
    if connection.vendor == "sqlite":
        left_out = {item for item in items if item.get_closest_marker("server")}
        config.hook.pytest_deselected(items=[*left_out])
        items[:] = [item for item in items if item not in left_out]
