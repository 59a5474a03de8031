"""The settings under test: the real ones, on throw-away data.

TEST_DATABASE=postgresql starts a PostgreSQL for the run; without it, SQLite in a file, which
live servers and worker processes can open too.
"""

import os
import tempfile
from pathlib import Path

# Settings for one run, shared with the processes it starts; a developer's .env is not read.
os.environ["STEPWISE_ENV_FILE"] = os.devnull
if "STEPWISE_TEST_FOLDER" not in os.environ:
    os.environ["STEPWISE_TEST_FOLDER"] = tempfile.mkdtemp(prefix="stepwise-test-")
_folder = Path(os.environ["STEPWISE_TEST_FOLDER"], os.environ.get("PYTEST_XDIST_WORKER", "main"))
_folder.mkdir(exist_ok=True)
os.environ["VAR_DIR"] = str(_folder)
os.environ.setdefault(
    "SECRET_KEY", "a key that signs nothing outside the tests, and is long enough"
)
# Plain HTTP on loopback, so that cookies work in the test client and in the browser.
os.environ.setdefault("BASE_URL", "http://localhost")
os.environ.setdefault("EMAIL_URL", "outbox:")
# A test of the second factor switches it on.
os.environ.setdefault("STAFF_SECOND_FACTOR", "false")
if os.environ.get("TEST_DATABASE") == "postgresql" and "DATABASE_URL" not in os.environ:
    from tests.postgres import start_postgres

    os.environ["DATABASE_URL"] = start_postgres()

from portal import translations  # noqa: E402
from portal.settings import *  # noqa: E402, F403
from portal.settings import DATABASES, LOCALE_PATHS, STORAGES  # noqa: E402

# Before Django reads them: it reads them once.
for _locale in LOCALE_PATHS:
    translations.compile_stale(_locale)

# Hashing a password slowly is for real ones.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Files are served from where they lie; collecting them is the run command's test.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_AUTOREFRESH = True
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": str(_folder / "test.sqlite3")}
    # No test is about a power cut.
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
