"""`manage.py run`: prepares everything, starts everything, and ends everything it started."""

import hashlib
import os
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections

from portal import preflight
from portal.processes import MemberDiedError, ProcessGroup

# Seconds a part of the clinic gets to answer for the first time.
START_LIMIT = 60.0


class Command(BaseCommand):
    """Start the clinic: web server, worker, beat, and a bundled Redis where none is set."""

    help = "Starts the whole clinic and stops it on Ctrl-C."
    # The checks need tables; the first run has none yet, so they come after the migrations.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Offer to prepare everything without starting it."""
        parser.add_argument(
            "--prepare-only", action="store_true", help="Prepare data and files, then stop."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the clinic until a signal comes. Exits with 1, and one sentence, if it cannot."""
        group = ProcessGroup()
        # What is written here is about patients: nobody else on this machine reads it.
        os.umask(0o077)
        try:
            with self.checked_folder():
                self.prepare()
                if not options["prepare_only"]:
                    with group.ended_by_signals():
                        self.start(group)
                        group.watch()
                        self.say("\nStopping ...")
        except preflight.NotReadyError as error:
            sys.exit(f"Stepwise cannot start: {error}")
        except (MemberDiedError, TimeoutError) as error:
            sys.exit(f"Stepwise has stopped: {error}")
        except KeyboardInterrupt:
            self.say("\nStopped.")

    @contextmanager
    def checked_folder(self) -> Iterator[None]:
        """Check everything that can be checked without changing data, and hold the folder."""
        preflight.check_folder(settings.VAR_DIR)
        with preflight.hold_folder(settings.VAR_DIR):
            preflight.check_port(settings.BIND_ADDRESS, settings.PORT)
            preflight.check_database()
            preflight.check_redis()
            preflight.check_mail()
            yield

    # --- Preparing ---------------------------------------------------------------------------

    def prepare(self) -> None:
        """Bring the translations, the database, the catalogue, the demo and the static files up to date."""
        compile_translations()
        self.step("Preparing the database", self.migrate)
        self.step("Loading the catalogue", lambda: call_command("load_catalogue", verbosity=0))
        if settings.STEPWISE_DEMO:
            # It says how far it is, and does nothing where the demo is filled already.
            self.step("Filling the demo clinic", lambda: call_command("seed_demo"))
        if static_files_fingerprint() != kept_fingerprint():
            self.step("Collecting the static files", collect_static_files)
        # The children make their own connections; this process needs none from here on.
        connections.close_all()

    def migrate(self) -> None:
        """Create or change the tables, then run the system checks."""
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        self.check()

    def step(self, what: str, do: Callable[[], Any]) -> None:
        """Do something that may take a while, saying what it is and how long it took."""
        self.say(f"{what} ...")
        started = time.monotonic()
        do()
        self.say(f"    done in {time.monotonic() - started:.1f} s")

    def say(self, text: str) -> None:
        """Print at once, also into a pipe."""
        self.stdout.write(text)
        self.stdout.flush()

    # --- Starting ----------------------------------------------------------------------------

    def start(self, group: ProcessGroup) -> None:
        """Start every process, in the order in which they need each other."""
        env = child_environment()
        if settings.USES_BUNDLED_REDIS:
            group.start("bundled Redis", redis_command(), env)
            group.wait_until(preflight.redis_answers, START_LIMIT, "bundled Redis")
        group.start("web server", web_command(), env)
        group.start("worker", worker_command(), env)
        group.start("beat", beat_command(), env)
        self.say("Starting the web server, the worker and the beat ...")
        group.wait_until(web_answers, START_LIMIT, "web server")
        if not group.is_stopping:
            self.announce()

    def announce(self) -> None:
        """Print the address, and who may sign in to the demo."""
        self.say(f"\nStepwise is running: {settings.BASE_URL}/")
        for line in demo_logins():
            self.say(line)
        self.say("Press Ctrl-C to stop.\n")


def demo_logins() -> list[str]:
    """Return the lines that name the demo's logins; none outside the demo."""
    if not settings.STEPWISE_DEMO:
        return []
    from portal.demo import logins  # only a demo needs it

    return logins()


def compile_translations() -> None:
    """Compile the translations that are missing or older. Raises NotReadyError where that cannot be."""
    try:
        call_command("compilemessages", stdout=StringIO())
    except OSError as error:
        raise preflight.NotReadyError(
            f"The translations cannot be compiled ({error.strerror}): run `manage.py compilemessages` "
            "as a user who may write there."
        ) from None


# --- Static files ----------------------------------------------------------------------------


def static_files_fingerprint() -> str:
    """Return a digest of every static file's name, size and time of change."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list(ignore_patterns=[]):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path}:{found.st_size}:{found.st_mtime_ns};".encode())
    return digest.hexdigest()


def kept_fingerprint() -> str:
    """Return the digest of the files that were collected last, or nothing."""
    file = settings.VAR_DIR / "static.fingerprint"
    return file.read_text() if file.exists() else ""


def collect_static_files() -> None:
    """Collect, compress and name the static files, and note which ones these were."""
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    (settings.VAR_DIR / "static.fingerprint").write_text(static_files_fingerprint())


# --- The processes ---------------------------------------------------------------------------


def child_environment() -> dict[str, str]:
    """Return the environment of every process started here."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        "PYTHONUNBUFFERED": "1",
        # Python's modules are found wherever the command was called from.
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(settings.BASE_DIR), os.environ.get("PYTHONPATH", "")])
        ),
    }


def redis_command() -> list[str]:
    """Return the bundled Redis: on its own socket, no port, nothing kept on disk."""
    socket = settings.BUNDLED_REDIS_SOCKET
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return [
        *(str(preflight.redis_program()), "--port", "0"),
        *("--unixsocket", str(socket), "--unixsocketperm", "700"),
        # Its title would overwrite the environment by which a test finds its own processes.
        *("--set-proc-title", "no"),
        *("--dir", str(socket.parent), "--save", "", "--appendonly", "no"),
        *("--loglevel", "warning", "--logfile", str(socket.with_name("redis.log"))),
    ]


def web_command() -> list[str]:
    """Return the web server; it listens on BIND_ADDRESS only."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"),
        *("--host", settings.BIND_ADDRESS, "--port", str(settings.PORT)),
        *("--workers", str(settings.WEB_PROCESSES), "--blocking-threads", "4"),
        # A request in progress gets this many seconds when the server is stopped.
        *("--workers-kill-timeout", "5", "--respawn-failed-workers"),
        *("--log-level", "warning"),
        "portal.wsgi:application",
    ]


def worker_command() -> list[str]:
    """Return the Celery worker; gossip, mingling and heartbeats are talk among many workers."""
    return [
        *(sys.executable, "-W", "ignore", "-m", "celery", "--quiet", "--app", "portal", "worker"),
        *("--concurrency", str(settings.WORKER_PROCESSES)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        *("--loglevel", settings.LOG_LEVEL),
    ]


def beat_command() -> list[str]:
    """Return the clock of the periodic tasks: one per database, never more."""
    return [
        *(sys.executable, "-m", "celery", "--quiet", "--app", "portal", "beat"),
        *("--pidfile=", "--loglevel", settings.LOG_LEVEL),
    ]


def web_answers() -> bool:
    """Tell whether the web server answers at all, whatever it answers."""
    host = f"[{settings.BIND_ADDRESS}]" if ":" in settings.BIND_ADDRESS else settings.BIND_ADDRESS
    request = urllib.request.Request(
        f"http://{host}:{settings.PORT}/health/live",
        headers={"Host": settings.ALLOWED_HOSTS[0]},
    )
    try:
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
