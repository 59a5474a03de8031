"""A clinic with many reminders due, a mail server with faults, and what is left when all is over."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.utils import timezone

from patients.models import Episode, Patient
from portal.models import User
from portal.processes import die_with_parent
from reminders.models import Message, Reminder, SendingChannel
from tests.factories import make_clinic, make_version
from tests.processes import end, wait_until, worker_environment
from tests.smtp import MailServer, free_port

# Mails that a killed worker may have handed over without having recorded it.
IN_FLIGHT = 16


@dataclass
class FaultyServer(MailServer):
    """A mail server that is slow, drops connections after DATA, or refuses, each with a chance.

    What it has taken counts as delivered, whether its answer arrived or not.
    """

    delay: float = 0.0
    drops: float = 0.0
    refuses: float = 0.0
    refusals: tuple[str, ...] = ("451 4.3.0 try later", "452 4.2.2 full just now")
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    controller: Controller | None = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.chance.random() < self.refuses:
            return self.chance.choice(self.refusals)
        reply = await super().handle_DATA(server, session, envelope)
        if self.chance.random() < self.drops and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return reply

    def listen(self) -> None:
        """Begin, or begin again, at the same port."""
        self.port = self.port or free_port()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def shut(self) -> None:
        """Stop listening: connections are refused from here on."""
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    @property
    def copies(self) -> Counter[str]:
        """How often each Message-ID came."""
        return Counter(str(mail.message["Message-ID"]) for mail in list(self.delivered))


def fill(number: int, name: str = "p") -> list[Reminder]:
    """A clinic that sends at any time, with one reminder due now for each of so many patients."""
    now = timezone.now()
    clinic = make_clinic(f"Clinic {name}", sending_from="00:00", sending_until="23:59:59")
    version = make_version(clinic, {"bag": {}})
    step = version.steps.get()
    users = [User(email=f"{name}{n}@patients.example", name=f"Patient {n}") for n in range(number)]
    patients = [
        Patient(
            clinic=clinic, record_number=f"F{n}", given_name="Pat", family_name=f"Number{n}",
            birth_date=date(1990, 1, 1), user=user,
        )
        for n, user in enumerate(users)
    ]  # fmt: skip
    episodes = [
        Episode(patient=patient, procedure=version.pathway.procedure, version=version, side="left")
        for patient in patients
    ]
    reminders = [
        Reminder(
            episode=episode, step=step, step_key=step.key, recipient=user, category=step.category,
            local_date=now.date(), local_time=now.time().replace(microsecond=0), time_zone="UTC",
            due_at=now, valid_until=now + timedelta(days=2),
        )
        for episode, user in zip(episodes, users, strict=True)
    ]  # fmt: skip
    for model, rows in (
        (User, users),
        (Patient, patients),
        (Episode, episodes),
        (Reminder, reminders),
    ):
        model.objects.bulk_create(rows, batch_size=500)
    return reminders


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

    def kill_child(self, process: subprocess.Popen[bytes]) -> bool:
        """Kill one pool process of a worker; the worker replaces it. False where it has none just now."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if not children:
            return False
        os.kill(int(children[0]), signal.SIGKILL)
        self.kills += 1
        return True

    def end(self) -> None:
        """End whatever still runs."""
        for process in self.running:
            end(process)


def hurry() -> None:
    """Let the time pass that retries and pauses wait for."""
    Reminder.objects.filter(state="retrying").update(due_at=timezone.now())
    SendingChannel.objects.filter(pauses__gt=0).update(paused_until=None)


def drain(seconds: float, *, but: int = 0) -> None:
    """Wait until all reminders are sent but so many. Retries do not wait for their time."""

    def is_drained() -> bool:
        hurry()
        return Reminder.objects.exclude(state="sent").count() <= but

    wait_until(is_drained, seconds, "all reminders to be sent")


@dataclass(frozen=True)
class Remains:
    """What is left when all is over."""

    lost: int
    messages: int
    message_ids: int
    extra_copies: int
    duplicates: int
    kills: int

    @classmethod
    def of(cls, server: FaultyServer, kills: int = 0) -> "Remains":
        """Count what was delivered against what was due."""
        copies = server.copies
        reached = Counter(
            address
            for address, message_id in {
                (mail.recipients[0], str(mail.message["Message-ID"])) for mail in server.delivered
            }
        )
        due = Reminder.objects.values_list("recipient__email", flat=True)
        return cls(
            lost=sum(1 for address in due if not reached[address]),
            messages=Message.objects.filter(state="sent").count(),
            message_ids=len(copies),
            extra_copies=sum(copies.values()) - len(copies),
            # What a mailbox still shows twice after it has removed equal Message-IDs.
            duplicates=sum(number - 1 for number in reached.values()),
            kills=kills,
        )

    def __str__(self) -> str:
        return (
            f"{self.messages} sent, {self.lost} lost, {self.message_ids} Message-IDs, {self.kills} kills, "
            f"{self.extra_copies} extra copies, {self.duplicates} after removing equal Message-IDs"
        )
