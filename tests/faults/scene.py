"""A clinic with many reminders due, a mail server with faults, and what is left when all is over."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from patients.models import Episode, Patient
from portal.models import Clinic, User
from portal.processes import die_with_parent
from procedures.models import PathwayVersion
from reminders.models import Message, Reminder, SendingChannel
from tests.factories import make_clinic, make_version
from tests.processes import end, wait_until, worker_environment
from tests.smtp import Delivery, free_port

# Mails that a killed worker may have handed over without having recorded it.
IN_FLIGHT = 16
# Seconds after the last fault within which everything has to be settled.
DRAINS_WITHIN = 300


@dataclass
class FaultyServer:
    """A mail server that is slow, hangs up after DATA, or refuses, each with a chance, or says nothing at all.

    What it has taken counts as delivered, whether its answer arrived or not. It is our own because
    aiosmtpd reads for ever from a client that was killed in the middle of a mail.
    """

    port: int = 0
    delay: float = 0.0
    drops: float = 0.0
    refuses: float = 0.0
    is_frozen: bool = False
    is_held: Callable[[], bool] = lambda: False
    refusals: tuple[str, ...] = ("451 4.3.0 try later", "452 4.2.2 full just now")
    delivered: list[Delivery] = field(default_factory=list)
    taken_at: dict[str, float] = field(default_factory=dict)
    last_fault_at: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def listen(self) -> None:
        """Begin, or begin again, at the same port."""
        self.port = self.port or free_port()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def shut(self) -> None:
        """Hang up on everybody and stop listening: connections are refused from here on."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop = self._thread = None

    def _run(self, started: threading.Event) -> None:
        self._loop = loop = asyncio.new_event_loop()
        listening = asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=500)
        server = loop.run_until_complete(listening)
        started.set()
        loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))
        loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk with one client until it leaves, in whatever way it does."""
        with contextlib.suppress(
            asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError
        ):
            writer.write(b"220 faulty.test ESMTP\r\n")
            await self._talk(reader, writer)
        writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender = recipient = ""
        while True:
            line = (await reader.readuntil(b"\r\n")).decode().strip()
            verb, reply = line[:4].upper(), "250 2.0.0 OK"
            while self.is_frozen:
                await asyncio.sleep(0.05)
            if verb == "EHLO":
                reply = "250-faulty.test\r\n250-PIPELINING\r\n250 8BITMIME"
            elif verb == "MAIL":
                sender = line
            elif verb == "RCPT":
                recipient = line[line.index("<") + 1 : line.index(">")]
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                reply = await self._take(sender, recipient, await reader.readuntil(b"\r\n.\r\n"))
            writer.write(f"{reply}\r\n".encode())
            if verb == "QUIT":
                return

    async def _take(self, sender: str, recipient: str, raw: bytes) -> str:
        await asyncio.sleep(self.delay)
        while self.is_held():
            await asyncio.sleep(0.005)
        if self.chance.random() < self.refuses:
            self.last_fault_at = time.monotonic()
            return self.chance.choice(self.refusals)
        self.taken_at.setdefault(recipient, time.monotonic())
        self.delivered.append(Delivery(sender, [recipient], raw))
        if self.chance.random() < self.drops:
            self.last_fault_at = time.monotonic()
            raise ConnectionError
        return "250 2.0.0 OK"

    @property
    def copies(self) -> Counter[str]:
        """How often each Message-ID came."""
        return Counter(str(mail.message["Message-ID"]) for mail in list(self.delivered))


def admit(clinic: Clinic, version: PathwayVersion, number: int, name: str) -> list[Episode]:
    """So many patients of a clinic with an own login, each with an episode and no dates."""
    users = [User(email=f"{name}{n}@patients.example", name=f"Patient {n}") for n in range(number)]
    patients = [
        Patient(
            clinic=clinic, record_number=f"F{n}", given_name="Pat", family_name=f"Number{n}",
            birth_date=date(1990, 1, 1), user=user,
        )
        for n, user in enumerate(users)
    ]  # fmt: skip
    procedure = version.pathway.procedure
    episodes = [
        Episode(patient=patient, procedure=procedure, version=version, side="left")
        for patient in patients
    ]
    for model, rows in ((User, users), (Patient, patients), (Episode, episodes)):
        model.objects.bulk_create(rows, batch_size=500)
    return episodes


def fill(number: int, name: str = "p") -> list[Reminder]:
    """A clinic that sends at any time, with one reminder due now for each of so many patients."""
    now = timezone.now()
    clinic = make_clinic(f"Clinic {name}", sending_from="00:00", sending_until="23:59:59")
    version = make_version(clinic, {"bag": {}})
    step = version.steps.get()
    reminders = [
        Reminder(
            episode=episode, step=step, step_key=step.key, recipient=episode.patient.user,
            category=step.category, local_date=now.date(),
            local_time=now.time().replace(microsecond=0), time_zone="UTC",
            due_at=now, valid_until=now + timedelta(days=2),
        )
        for episode in admit(clinic, version, number, name)
    ]  # fmt: skip
    return Reminder.objects.bulk_create(reminders, batch_size=500)


class Crowd:
    """The processes of a test: workers, beats and sweepers of our own, started and killed at will."""

    def __init__(self, folder: Path, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.env = (
            worker_environment() | {"DJANGO_SETTINGS_MODULE": "tests.faults.settings"} | (env or {})
        )
        self.running: list[subprocess.Popen[bytes]] = []
        self.kills = 0

    def worker(self, processes: int = 1) -> subprocess.Popen[bytes]:
        """A Celery worker with so many pool processes."""
        options = ["--concurrency", str(processes), "--without-gossip", "--without-mingle"]
        name = f"worker-{len(self.running)}@test"
        command = ["-m", "celery", "--app", "portal", "worker", *options, "--hostname", name]
        return self._start(*command, "--without-heartbeat", "--loglevel", "INFO")

    def beat(self) -> subprocess.Popen[bytes]:
        """A beat with a schedule file of its own."""
        file = self.folder / f"schedule-{len(self.running)}"
        return self._start(
            "-m", "celery", "--app", "portal", "beat", "--pidfile=", "--schedule", str(file)
        )

    def set_clock(self, hours: float) -> None:
        """Step the wall clock of every process, those that run and those to come, to so many hours from now."""
        file = self.folder / "clock"
        file.with_suffix(".new").write_text(str(hours * 3600))
        file.with_suffix(".new").rename(file)
        self.env["FAULTS_CLOCK"] = str(file)

    def sweeper(self, seconds: int = 600) -> subprocess.Popen[bytes]:
        """A sweeper that goes round and round."""
        return self._start(
            "manage.py", "dispatch_reminders", "--for", str(seconds), "--pause", "0.2"
        )

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"process-{len(self.running)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", *command], env=self.env, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=die_with_parent(os.getpid()),
            )  # fmt: skip
        self.running.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a process and its children as a power cut would."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.kills += 1

    def kill_child(self, process: subprocess.Popen[bytes]) -> None:
        """Kill one pool process of a worker; the worker replaces it."""
        children = self._children(process)
        if children:
            os.kill(children[0], signal.SIGKILL)
            self.kills += 1

    def is_up(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether a worker has both its pool processes."""
        return len(self._children(process)) >= 2

    def revived(self, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        """The worker itself, or where it has ended another in its place, as a supervisor does it."""
        return process if process.poll() is None else self.worker(processes=2)

    def _children(self, process: subprocess.Popen[bytes]) -> list[int]:
        file = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            return [int(child) for child in file.read_text().split()]
        except FileNotFoundError:
            return []

    def end(self) -> None:
        """End whatever still runs."""
        for process in self.running:
            end(process)


def hurry() -> None:
    """Let the time pass that retries and pauses wait for."""
    now = timezone.now()
    # Those that are due already are left alone: whoever changes a row many times a second holds up the rest.
    Reminder.objects.filter(state="retrying", due_at__gt=now).update(due_at=now)
    SendingChannel.objects.filter(pauses__gt=0).update(paused_until=None)


def drain(
    server: FaultyServer, seconds: float, *, ends: tuple[str, ...] = ("sent",), but: int = 0
) -> float:
    """Wait until all reminders but so many have one of these ends. Retries do not wait for their time.

    Returns the seconds from the last fault on: from the call, or from the server's last fault after it. Fails
    the test when that is more than five minutes, or than `seconds`.
    """
    began_at = time.monotonic()

    def last_fault_at() -> float:
        return max(began_at, server.last_fault_at)

    def is_drained() -> bool:
        hurry()
        if time.monotonic() > last_fault_at() + DRAINS_WITHIN:
            pytest.fail(f"Not all was settled {DRAINS_WITHIN} s after a fault. {what_is_left()}")
        return Reminder.objects.exclude(state__in=ends).count() <= but

    wait_until(is_drained, seconds, "all reminders to be settled", what_is_left)
    return time.monotonic() - last_fault_at()


def what_is_left() -> str:
    """What has not been sent, and why: for the message of a test that waited in vain."""
    rows = Reminder.objects.exclude(state="sent").order_by("state", "due_at")
    fields = ("state", "reason", "attempts", "due_at", "lease_until", "valid_until")
    found = "\n".join(str(row) for row in rows.values(*fields)[:10])
    return f"At {timezone.now()} {rows.count()} were not sent:\n{found}"


@dataclass(frozen=True)
class Remains:
    """What is left when all is over."""

    lost: int
    messages: int
    message_ids: int
    extra_copies: int
    duplicates: int
    kills: int
    failed: int
    drained_in: float

    @classmethod
    def of(cls, server: FaultyServer, kills: int = 0, *, drained_in: float) -> "Remains":
        """Count what was delivered, or refused for good, against what was due."""
        copies = server.copies
        reached = Counter(
            address
            for address, message_id in {
                (mail.recipients[0], str(mail.message["Message-ID"])) for mail in server.delivered
            }
        )
        due = Reminder.objects.exclude(state="failed").values_list("recipient__email", flat=True)
        return cls(
            lost=sum(1 for address in due if not reached[address]),
            messages=Message.objects.filter(state="sent").count(),
            message_ids=len(copies),
            extra_copies=sum(copies.values()) - len(copies),
            # What a mailbox still shows twice after it has removed equal Message-IDs.
            duplicates=sum(number - 1 for number in reached.values()),
            kills=kills,
            failed=Reminder.objects.filter(state="failed").count(),
            drained_in=drained_in,
        )

    def __str__(self) -> str:
        refused = f"{self.failed} refused for good, " if self.failed else ""
        return (
            f"{self.messages} sent, {refused}{self.lost} lost, {self.message_ids} Message-IDs, {self.kills} kills, "
            f"{self.extra_copies} extra copies, {self.duplicates} after removing equal Message-IDs; "
            f"all settled {self.drained_in:.0f} s after the last fault"
        )
