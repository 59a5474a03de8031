"""The settings in a fresh process, as each kind of deployment sees them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

REAL = {
    "BASE_URL": "https://portal.clinic.example",
    "SECRET_KEY": "long enough, and only for this test, and nowhere else at all",
    "EMAIL_URL": "smtp+tls://mailer:secret@mail.clinic.example:587",
}
READ = """
import json, sys
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""


def read_settings(tmp_path, environment, *names):
    """Return what a process with this environment alone sees; the last line of its complaint if it fails."""
    done = subprocess.run(
        [sys.executable, "-c", READ, *names],
        env={
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "STEPWISE_ENV_FILE": os.devnull,
            "VAR_DIR": str(tmp_path / "var"),
            "PATH": os.environ["PATH"],
            **environment,
        },
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["BASE_URL", "SECRET_KEY", "EMAIL_URL"])
def test_a_missing_variable_is_named_with_its_fix(tmp_path, name):
    environment = {key: value for key, value in REAL.items() if key != name}

    complaint = read_settings(tmp_path, environment, "DEBUG")

    assert re.search(rf"ImproperlyConfigured: {name} is not set\. \w+", complaint)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASE_URL", "portal.clinic.example"),
        ("DATABASE_URL", "mongo://localhost/stepwise"),
        ("DATABASE_URL", "postgres://localhost"),
        ("DATABASE_URL", "postgres://localhost:port/stepwise"),
        ("REDIS_URL", "localhost:6379"),
        ("EMAIL_URL", "mail.clinic.example"),
        ("EMAIL_URL", "smtp://"),
        ("EMAIL_URL", "smtp://host:port"),
        ("LOG_LEVEL", "LOUD"),
        ("PORT", "http"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path, name, value):
    complaint = read_settings(tmp_path, REAL | {name: value}, "DEBUG")

    assert complaint.startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert name in complaint


def test_a_real_deployment_is_safe_by_default(tmp_path):
    found = read_settings(
        tmp_path,
        REAL,
        *("DEBUG", "STEPWISE_DEMO", "STAFF_SECOND_FACTOR", "SESSION_COOKIE_NAME"),
        *("CSRF_COOKIE_NAME", "SESSION_COOKIE_SECURE", "SECURE_SSL_REDIRECT"),
        *("SECURE_HSTS_SECONDS", "ALLOWED_HOSTS", "EMAIL_HOST", "EMAIL_USE_TLS"),
    )

    assert found == {
        "DEBUG": False,
        "STEPWISE_DEMO": False,
        "STAFF_SECOND_FACTOR": True,
        "SESSION_COOKIE_NAME": "__Host-session",
        "CSRF_COOKIE_NAME": "__Host-csrf",
        "SESSION_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31536000,
        "ALLOWED_HOSTS": ["portal.clinic.example"],
        "EMAIL_HOST": "mail.clinic.example",
        "EMAIL_USE_TLS": True,
    }


def test_the_demo_needs_nothing_and_keeps_its_key(tmp_path):
    names = ("SECRET_KEY", "BASE_URL", "EMAIL_BACKEND", "DEBUG", "SESSION_COOKIE_NAME")
    demo = {"STEPWISE_DEMO": "true", "PORT": "8123"}

    first = read_settings(tmp_path, demo, *names)
    second = read_settings(tmp_path, demo, *names)

    assert first == second
    assert len(first.pop("SECRET_KEY")) > 50
    assert first == {
        "BASE_URL": "http://127.0.0.1:8123",
        "EMAIL_BACKEND": "portal.outbox.OutboxBackend",
        "DEBUG": False,
        "SESSION_COOKIE_NAME": "session",
    }
    assert (tmp_path / "var" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "var").write_text("a file where the folder should be")

    complaint = read_settings(tmp_path, {"STEPWISE_DEMO": "true"}, "DEBUG")

    assert "cannot be written" in complaint
    assert "Set VAR_DIR" in complaint


def test_plain_http_beyond_this_machine_still_gets_secure_cookies(tmp_path):
    found = read_settings(
        tmp_path, REAL | {"BASE_URL": "http://clinic.example"}, "SESSION_COOKIE_SECURE"
    )

    assert found == {"SESSION_COOKIE_SECURE": True}


def test_two_folders_have_two_redis_sockets_however_long_their_names(tmp_path):
    folders = [tmp_path / ("deep" * 30) / name for name in ("one", "two")]

    sockets = {
        read_settings(tmp_path, REAL | {"VAR_DIR": str(each)}, "BUNDLED_REDIS_SOCKET")[
            "BUNDLED_REDIS_SOCKET"
        ]
        for each in folders
    }

    assert len(sockets) == 2
    assert all(len(each) < 104 for each in sockets)


def test_postgresql_keeps_connections_and_checks_them(tmp_path):
    url = "postgres://clinic:secret@db.example:5432/stepwise"

    found = read_settings(tmp_path, REAL | {"DATABASE_URL": url}, "DATABASES")["DATABASES"]

    assert found["default"] == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "stepwise",
        "USER": "clinic",
        "PASSWORD": "secret",
        "HOST": "db.example",
        "PORT": 5432,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }


def test_every_variable_read_is_in_the_example_and_no_other():
    source = Path(settings.BASE_DIR, "portal", "settings.py").read_text()
    example = Path(settings.BASE_DIR, ".env.example").read_text()
    read = set(re.findall(r'(?:env\.\w+|required|whole_number)\(\s*"([A-Z_]+)"', source))

    listed = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))

    assert read == listed
    assert {"STEPWISE_DEMO", "DATABASE_URL", "BASE_URL"} < read
