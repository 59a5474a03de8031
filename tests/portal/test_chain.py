"""The audit chain: every event gets its place, and what is altered, removed or cut off is found."""

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from portal import audit, chain, tasks
from portal.models import AuditCheck, AuditEvent, AuditHead, AuditLink
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def heads(tmp_path, settings):
    """A folder of its own for the file of heads."""
    settings.VAR_DIR = tmp_path
    return tmp_path / "audit-heads.log"


@pytest.fixture
def trail(people, heads, django_capture_on_commit_callbacks):
    """Five further events, sealed; the head is noted in the file."""
    for number in range(5):
        audit.record(
            "R", "patient.view", by=people.nurse, obj=people.patient, clinic=people.clinic,
            patient_id=people.patient.id, after={"number": number},
        )  # fmt: skip
    with django_capture_on_commit_callbacks(execute=True):
        chain.seal(now=NOW)
    return list(AuditEvent.objects.order_by("pk"))


def faults(**known):
    return [(fault.kind, fault.position) for part in chain.check(**known) for fault in part.faults]


def run(statement, *values):
    """What somebody with a way into the database does, past the portal."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_every_event_has_one_place_and_nothing_is_wrong(trail):
    places = list(AuditLink.objects.values_list("position", flat=True))
    assert places == list(range(1, len(trail) + 1))
    assert {row.event_id for row in AuditLink.objects.all()} == {row.pk for row in trail}
    assert faults() == []


def test_sealing_again_changes_nothing(trail):
    head = AuditHead.objects.get()

    assert chain.seal(now=NOW) == 0

    assert AuditHead.objects.get().hash == head.hash


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'x'", "actor_label = 'x'", "recorded_at = '2020-01-01'", "patient_id = NULL", "after = '{}'",
        "address = '10.0.0.1'",
    ],
)  # fmt: skip
def test_an_event_altered_behind_the_portals_back_is_found_alone(trail, change):
    run(f"UPDATE portal_auditevent SET {change} WHERE id = %s", trail[-2].pk)

    assert faults() == [("altered", len(trail) - 1)]


def test_an_event_that_was_taken_away_is_missed(trail):
    run("DELETE FROM portal_auditevent WHERE id = %s", trail[2].pk)

    assert faults() == [("missing", 3)]


def test_a_place_that_was_taken_away_with_its_event_is_missed(trail):
    run("DELETE FROM portal_auditevent WHERE id = %s", trail[2].pk)
    run("DELETE FROM portal_auditlink WHERE position = 3")

    found = faults()

    assert ("gap", 3) in found


def test_a_chain_that_was_cut_off_disagrees_with_its_head_and_with_the_file(trail):
    end = len(trail)
    run("DELETE FROM portal_auditevent WHERE id = %s", trail[-1].pk)
    run("DELETE FROM portal_auditlink WHERE position = %s", end)
    assert faults() == [("cut", end)]

    # Also where the head in the database was set back with it.
    last = AuditLink.objects.last()
    run("UPDATE portal_audithead SET position = %s, hash = %s", last.position, last.hash)
    assert faults() == [("cut", end)]
    assert faults(known={}) == []


def test_a_chain_that_was_written_anew_disagrees_with_the_file(trail):
    run("UPDATE portal_auditevent SET reason = 'another' WHERE id = %s", trail[0].pk)
    AuditLink.objects.all().delete()
    AuditHead.objects.all().delete()
    chain.seal(now=NOW)

    assert faults(known={}) == []
    assert faults() == [("rewritten", len(trail))]


def test_an_event_that_is_committed_late_is_sealed_later(trail, people):
    last = trail[-1]
    AuditLink.objects.filter(event_id=last.pk).delete()
    AuditHead.objects.update(
        position=len(trail) - 1, hash=AuditLink.objects.last().hash, last_event_id=last.pk + 5
    )

    assert chain.seal(now=NOW) == 1

    assert faults() == []


def test_the_head_is_noted_every_five_minutes_and_a_torn_line_is_passed_over(
    trail, people, heads, django_capture_on_commit_callbacks
):
    for later in (60, 301):
        audit.record("R", "x.y", by=None, obj=people.patient)
        with django_capture_on_commit_callbacks(execute=True):
            chain.seal(now=NOW + timedelta(seconds=later))
    assert len(heads.read_text().splitlines()) == 2
    with heads.open("a") as file:
        file.write("2026-03-02T10:00:00Z 9 abc")

    assert sorted(chain.noted_heads()) == [len(trail), len(trail) + 2]


def test_the_command_says_what_is_wrong_and_fails(trail, capsys):
    call_command("verify_audit")
    assert "Nothing was altered" in capsys.readouterr().out

    run("UPDATE portal_auditevent SET verb = 'x' WHERE id = %s", trail[1].pk)

    with pytest.raises(CommandError, match="1 faults"):
        call_command("verify_audit")
    assert f"event {trail[1].pk} was altered" in capsys.readouterr().err


def test_the_command_takes_a_head_that_was_kept_elsewhere(trail):
    head = AuditHead.objects.get()
    call_command("verify_audit", head=[f"{head.position}:{head.hash}"])
    with pytest.raises(CommandError):
        call_command("verify_audit", head=[f"{head.position}:{'0' * 64}"])
    with pytest.raises(CommandError, match="PLACE:HASH"):
        call_command("verify_audit", head=["nonsense"])


def test_a_check_that_was_asked_for_goes_on_where_it_stopped(trail, monkeypatch):
    monkeypatch.setattr(chain, "CHECKED_AT_ONCE", 2)
    run("UPDATE portal_auditevent SET verb = 'x' WHERE id = %s", trail[-1].pk)
    asked = AuditCheck.objects.create(created_at=NOW)

    turns = 1
    while not chain.carry_on(asked, now=NOW, most=2):
        turns += 1
        assert turns < 20

    assert turns > 1
    assert asked.faults == [["altered", len(trail), trail[-1].pk]]


def test_the_tasks_seal_and_check(trail, people):
    audit.record("R", "x.y", by=None, obj=people.patient)
    assert tasks.seal_audit() == 1

    tasks.check_audit_daily()

    assert tasks.check_audit() == 1
    assert AuditCheck.objects.get().faults == []


@pytest.mark.django_db(transaction=True)
def test_two_who_seal_at_once_make_one_chain(people, heads):
    def work():
        chain.seal(now=NOW)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert AuditLink.objects.count() == AuditEvent.objects.count()
    assert faults() == []
