"""A SQLite that was migrated once, copied for each run of the tests: migrating is most of a short run.

The copy is kept beside other temporary files, under a digest of every migration and of Django's
version; `migrate` looks at it again in each run, so that nothing stale can pass for the real thing.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import django
import pytest
from django.conf import settings
from django.db import connection

FOLDER = Path(tempfile.gettempdir(), f"stepwise-migrated-{os.getuid()}")


def template() -> Path:
    """Return where the migrated database of this state of the code is kept."""
    digest = hashlib.sha256(django.__version__.encode())
    for file in sorted(Path(settings.BASE_DIR).glob("*/migrations/*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    return FOLDER / f"{digest.hexdigest()[:32]}.sqlite3"


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Let Django migrate what lies there, where something may lie: on SQLite, in a folder made for this run."""
    return connection.vendor == "sqlite"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Put the migrated database where the tests' own will be looked for."""
    if connection.vendor == "sqlite" and template().exists():
        shutil.copyfile(template(), connection.settings_dict["TEST"]["NAME"])


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker) -> None:
    """Keep the database for the next run, if it had to be made."""
    kept = template()
    if connection.vendor == "sqlite" and not kept.exists():
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        with django_db_blocker.unblock():
            _keep(kept)
    with django_db_blocker.unblock():
        # Django finds this out by three queries, once a process: no test that counts queries is to see them.
        assert connection.features.supports_json_field


def _keep(kept: Path) -> None:
    """Copy the database aside, then to its place in one step: two processes may do this at once."""
    connection.ensure_connection()
    aside = kept.with_suffix(f".{os.getpid()}")
    with sqlite3.connect(aside) as copy:
        connection.connection.backup(copy)
    copy.close()
    aside.replace(kept)
