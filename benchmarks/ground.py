"""The ground a measurement stands on: a database of its own, settings as a clinic has them, and rows.

`settle` comes first, before anything of Django is imported.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

# As a careful operator would run it: nothing here trades durability for speed.
DURABLE = ("shared_buffers=256MB", "max_wal_size=4GB", "max_connections=60")
KEY = "a key that signs nothing outside a measurement, and is long enough"


def settle(*, database: str, email_url: str = "outbox:") -> Path:
    """Point the settings at an empty `database` ("postgresql" or "sqlite") and return the folder for files.

    The tables are made. Children started afterwards work on the same ground.
    """
    folder = Path(tempfile.mkdtemp(prefix="stepwise-bench-"))
    import atexit

    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ |= {
        "STEPWISE_ENV_FILE": os.devnull,
        "STEPWISE_DEMO": "false",
        "BASE_URL": "https://portal.clinic.example",
        "SECRET_KEY": KEY,
        "EMAIL_URL": email_url,
        "VAR_DIR": str(folder),
        "LOG_LEVEL": "WARNING",
        "DATABASE_URL": database_url(database, folder),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return folder


def open_site() -> None:
    """Serve pages to a test's browser as a clinic would: collected static files, but no TLS to redirect to."""
    from django.conf import settings
    from django.core.management import call_command

    call_command("collectstatic", verbosity=0, interactive=False)
    settings.ALLOWED_HOSTS = ["*"]
    settings.SECURE_SSL_REDIRECT = False


def database_url(database: str, folder: Path) -> str:
    """Start what the database needs and return its address."""
    if database == "sqlite":
        return f"sqlite:///{folder / 'stepwise.sqlite3'}"
    from tests.postgres import start_postgres  # loads psycopg, which SQLite does without

    return start_postgres(DURABLE)


def copy_database(name: str) -> None:
    """Keep the database as it stands under another name too. PostgreSQL only."""
    from django.db import connection

    here = connection.settings_dict["NAME"]
    _run_elsewhere(f'CREATE DATABASE "{name}" TEMPLATE "{here}"')


def use_database(name: str) -> None:
    """Go on in the database of this name, and let children started from now on do so too."""
    from django.db import connection

    connection.close()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = name
    os.environ["DATABASE_URL"] = os.environ["DATABASE_URL"].removesuffix(before) + name


def _run_elsewhere(statement: str) -> None:
    """Run what needs that nobody is connected to the database."""
    import psycopg
    from django.db import connection

    connection.close()
    at = {"host": connection.settings_dict["HOST"], "user": connection.settings_dict["USER"]}
    with psycopg.connect(**at, dbname="template1", autocommit=True) as other:
        other.execute(statement)
