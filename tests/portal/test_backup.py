"""A backup is whole, also while others write; after a restore nothing leaves until a person says so."""

import stat
import subprocess
import sys
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.utils import timezone

from patients.models import Patient
from portal.backup import back_up, restore
from portal.models import AuditEvent, Clinic, SendingSwitch, User
from reminders import pipeline
from reminders.models import Reminder
from tests.factories import make_clinic, make_user
from tests.people import make_people
from tests.processes import worker_environment


def rows(*models):
    return {model.__name__: sorted(map(str, model.objects.values_list())) for model in models}


@pytest.mark.django_db(transaction=True)
def test_what_was_backed_up_comes_back_and_sending_is_off(tmp_path, smtp_server):
    people = make_people(timezone.now())
    pipeline.dispatch(now=timezone.now())
    before = rows(Clinic, User, Patient, Reminder)
    back_up(tmp_path / "copy")
    Patient.objects.filter(pk=people.far_patient.pk).update(given_name="Changed")
    make_user("later@example.com")

    restore(tmp_path / "copy")

    assert rows(Clinic, User, Patient, Reminder) == before
    switch = SendingSwitch.current()
    assert (switch.is_on, switch.changed_by, switch.reason[:22]) == (
        False,
        None,
        "Restored from a backup",
    )
    assert AuditEvent.objects.filter(verb="backup.restore", actor=None).count() == 1
    assert pipeline.dispatch(now=timezone.now()).total == 0


@pytest.mark.django_db(transaction=True)
def test_a_switch_that_was_off_for_another_reason_says_the_newer_one(tmp_path):
    SendingSwitch.objects.create(is_on=False, reason="storm")
    back_up(tmp_path / "copy")
    SendingSwitch.objects.update(is_on=True, reason="")

    restore(tmp_path / "copy")

    assert SendingSwitch.current().reason.startswith("Restored")


@pytest.mark.django_db(transaction=True)
def test_only_this_user_can_read_a_backup_and_nothing_else_is_left(tmp_path):
    for _ in range(2):
        back_up(tmp_path / "copy")

    assert [file.name for file in tmp_path.iterdir()] == ["copy"]
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600


@pytest.mark.django_db(transaction=True)
def test_backups_taken_while_others_write_are_each_a_moment_in_time(tmp_path):
    """A clinic and its two users are written together; no copy may have one without the other."""
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set() and number < 400:
            number += 1
            make_pair(number)
        connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            back_up(tmp_path / f"copy-{number}")
    finally:
        stop.set()
        writer.join()

    for number in range(5):
        restore(tmp_path / f"copy-{number}")
        assert User.objects.filter(email__startswith="pair").count() == 2 * Clinic.objects.count()


def make_pair(number):
    from django.db import transaction  # here, for the thread's own connection

    with transaction.atomic():
        make_clinic(f"Clinic {number}")
        for side in ("a", "b"):
            make_user(f"pair-{number}-{side}@example.com")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_damaged_backup_changes_nothing(tmp_path, content):
    make_clinic("Stays")
    (tmp_path / "copy").write_bytes(content)

    with pytest.raises(CommandError):
        call_command("restore", str(tmp_path / "copy"), "--yes")

    connection.close()
    assert [clinic.name for clinic in Clinic.objects.all()] == ["Stays"]
    assert SendingSwitch.current().is_on


@pytest.mark.django_db(transaction=True)
def test_the_commands_say_what_they_did_and_ask_whether_it_is_meant(tmp_path):
    make_clinic("Kept")
    manage = [sys.executable, "-W", "ignore", "manage.py"]

    def run(*arguments):
        command = [*manage, *arguments]
        return subprocess.run(
            command, env=worker_environment(), capture_output=True, text=True, check=False
        )

    made = run("backup", str(tmp_path / "copy"))
    unasked = run("restore", str(tmp_path / "copy"))
    missing = run("restore", str(tmp_path / "nowhere"), "--yes")
    done = run("restore", str(tmp_path / "copy"), "--yes")

    assert made.stdout.startswith(f"The database is in {tmp_path / 'copy'} (")
    assert "add --yes" in unasked.stderr
    assert "There is no file" in missing.stderr
    assert done.stdout.startswith("Restored from a backup.")
    assert [each.returncode for each in (made, unasked, missing, done)] == [0, 1, 1, 0]
    connection.close()
    assert Clinic.objects.get().name == "Kept"


@pytest.mark.django_db(transaction=True)
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("backup", str(tmp_path / "missing" / "copy"))
    assert list(tmp_path.iterdir()) == []
