"""`manage.py run` as an operator meets it: it starts everything, says what is wrong, ends everything."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from portal.processes import die_with_parent
from tests.processes import end, wait_until
from tests.smtp import free_port

MARK = "STEPWISE_RUN_UNDER_TEST"


@dataclass
class Clinic:
    """One deployment in a folder of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    more: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self):
        return {
            "PATH": os.environ["PATH"],
            "STEPWISE_ENV_FILE": os.devnull,
            "VAR_DIR": str(self.folder / "var"),
            "PORT": str(self.port),
            "BASE_URL": f"http://127.0.0.1:{self.port}",
            "SECRET_KEY": "long enough, and only for this test, and nowhere else at all",
            "EMAIL_URL": "outbox:",
            MARK: self.mark,
            **self.more,
        }

    @property
    def output(self):
        return (self.folder / "output").read_text()

    def run(self, *options):
        """Start `manage.py run` in a session of its own, with its output in a file."""
        with (self.folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), "run", *options],
                env=self.environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),
            )
        self.processes.append(process)
        return process

    def start(self):
        """Run the clinic and wait until it says that it is running."""
        process = self.run()
        wait_until(
            lambda: "Press Ctrl-C" in self.output or process.poll() is not None,
            seconds=120,
            what="the clinic",
        )
        assert process.poll() is None, self.output
        return process

    def living(self):
        """Return the command lines of the processes that belong to this clinic, by their id."""
        return {
            each.name: line
            for each in Path("/proc").iterdir()
            if each.name.isdecimal() and (line := self.command_line(each.name))
        }

    def command_line(self, pid):
        """Return a process's command line, or "" if it is not this clinic's, or a zombie."""
        try:
            environment = Path("/proc", pid, "environ").read_bytes()
            line = Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            return ""
        return line if f"{MARK}={self.mark}".encode() in environment else ""


@pytest.fixture
def new_clinic(tmp_path, db):
    """Make clinics on the kind of database that this run of the tests is about."""
    made: list[Clinic] = []

    def make(**more):
        clinic = Clinic(tmp_path / f"clinic-{len(made)}", more=more)
        clinic.folder.mkdir()
        if connection.vendor == "postgresql":
            clinic.more["DATABASE_URL"] = new_postgres_database()
        made.append(clinic)
        return clinic

    yield make
    for clinic in made:
        for process in clinic.processes:
            end(process, 30)
    assert [clinic.living() for clinic in made] == [{}] * len(made)


@pytest.fixture
def clinic(new_clinic):
    """Return a clinic that never ran."""
    return new_clinic()


@pytest.fixture(scope="session")
def folder_of_one_that_ran():
    """Return the folder of a clinic that was started from nothing and ended: once for all processes of this run."""
    clinic = Clinic(Path(os.environ["STEPWISE_TEST_FOLDER"], "ran"))
    clinic.folder.mkdir(exist_ok=True)
    with (clinic.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (clinic.folder / "done").exists():
            process = clinic.start()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            (clinic.folder / "done").touch()
    return clinic.folder / "var"


@pytest.fixture
def new_clinic_that_ran(new_clinic, folder_of_one_that_ran):
    """Make clinics that start in seconds, on SQLite."""

    def make():
        clinic = new_clinic()
        shutil.copytree(folder_of_one_that_ran, clinic.folder / "var")
        return clinic

    return make


@pytest.fixture
def clinic_that_ran(new_clinic_that_ran):
    return new_clinic_that_ran()


def new_postgres_database():
    """Create an empty database beside the tests' own, and return its URL."""
    at = connection.settings_dict
    name = f"run_{uuid.uuid4().hex}"
    server = psycopg.connect(host=at["HOST"], user=at["USER"], dbname="postgres", autocommit=True)
    with closing(server):
        server.execute(f"CREATE DATABASE {name}")
    return f"postgres://{at['USER']}@/{at['HOST']}/{name}"


def answers(port):
    """Return the status of the page that says whether the web server lives."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=10) as page:
            return page.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.once
@pytest.mark.fault
def test_ctrl_c_ends_everything_and_the_next_start_keeps_the_data(clinic_that_ran):
    clinic = clinic_that_ran
    process = clinic.start()
    assert answers(clinic.port) == 200
    started = " ".join(clinic.living().values())
    assert all(each in started for each in ("redis-server", "granian", " worker ", " beat "))
    secret_file = clinic.folder / "var" / "kept"
    secret_file.write_text("data")

    process.send_signal(signal.SIGINT)

    assert process.wait(30) == 0
    assert clinic.living() == {}
    again = clinic.start()
    assert "Collecting the static files" not in clinic.output
    assert secret_file.read_text() == "data"
    again.send_signal(signal.SIGTERM)
    assert again.wait(30) == 0
    assert clinic.living() == {}


@pytest.mark.once
@pytest.mark.fault
def test_two_clinics_run_side_by_side_and_a_third_on_the_same_folder_does_not(
    new_clinic, new_clinic_that_ran
):
    one, other = new_clinic_that_ran(), new_clinic_that_ran()
    third = new_clinic(VAR_DIR=str(one.folder / "var"))

    one.start()
    other.start()

    assert [answers(each.port) for each in (one, other)] == [200, 200]
    assert third.run().wait(60) == 1
    assert "Stepwise already runs on the folder" in third.output


@pytest.mark.once
@pytest.mark.fault
@pytest.mark.skipif(
    sys.platform != "linux", reason="Only Linux tells a child of its parent's death"
)
def test_killing_the_command_hard_ends_what_it_started(clinic_that_ran):
    process = clinic_that_ran.start()
    assert len(clinic_that_ran.living()) > 4

    process.kill()
    process.wait()

    # Two seconds as a rule. A worker that has a task to acknowledge when its broker dies with the command asks
    # after it for half a minute, and once more to give the task back.
    wait_until(lambda: clinic_that_ran.living() == {}, seconds=150, what="the processes to end")


@pytest.mark.once
@pytest.mark.fault
@pytest.mark.parametrize("part", [" worker ", "redis-server"])
def test_one_part_that_dies_brings_the_rest_down_with_its_name(clinic_that_ran, part):
    process = clinic_that_ran.start()
    pid = min(int(pid) for pid, line in clinic_that_ran.living().items() if part in line)

    os.kill(pid, signal.SIGKILL)

    assert process.wait(40) == 1
    assert clinic_that_ran.living() == {}
    assert "has ended by itself (signal 9)" in clinic_that_ran.output
    assert "Traceback" not in clinic_that_ran.output


NOWHERE = {
    "PORT": ("99999", "set PORT"),
    "DATABASE_URL": ("postgres://127.0.0.1:1/stepwise", "check DATABASE_URL"),
    "REDIS_URL": ("redis://127.0.0.1:1/0", "check REDIS_URL"),
    "EMAIL_URL": ("smtp://127.0.0.1:1", "check EMAIL_URL"),
    "BASE_URL": ("clinic.example", "BASE_URL is"),
}


@pytest.mark.parametrize("name", NOWHERE)
def test_what_leads_nowhere_is_one_sentence(clinic, name):
    value, expected = NOWHERE[name]
    clinic.more[name] = value

    assert clinic.run().wait(60) == 1
    assert expected in clinic.output
    assert len(clinic.output.strip().splitlines()) == 1


def test_a_port_in_use_is_one_sentence(clinic, taken_port):
    clinic.port = taken_port

    assert clinic.run().wait(60) == 1
    assert f"port {taken_port} (Address already in use): set PORT" in clinic.output
    assert len(clinic.output.strip().splitlines()) == 1


def test_a_folder_that_cannot_be_made_is_one_sentence(clinic):
    (clinic.folder / "file").write_text("in the way")
    clinic.more["VAR_DIR"] = str(clinic.folder / "file" / "var")

    assert clinic.run().wait(60) == 1
    assert "cannot be written (Not a directory): set VAR_DIR" in clinic.output
    assert len(clinic.output.strip().splitlines()) == 1


@pytest.mark.once
def test_a_silent_service_is_given_up_on(clinic, taken_port):
    clinic.more["REDIS_URL"] = f"redis://127.0.0.1:{taken_port}/0"
    started = time.monotonic()

    assert clinic.run().wait(60) == 1
    assert "Redis does not answer" in clinic.output
    assert time.monotonic() - started < 20
