"""The audit trail: complete, in the transaction of the change, and never edited."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from portal import audit
from portal.models import AuditEvent
from tests.factories import NOW, make_user

pytestmark = pytest.mark.django_db
READ = AuditEvent.Action.READ


def note(people, **fields):
    given = {
        "by": people.nurse,
        "obj": people.patient,
        "clinic": people.clinic,
        "patient_id": people.patient.id,
    }
    return audit.record(READ, "patient.view", **(given | fields))


def test_an_event_says_who_did_what_to_which_record_and_when(people):
    event = note(people, before={"a": 1}, after={"a": 2}, reason="asked by phone")

    event.refresh_from_db()
    assert (event.actor, event.actor_label, event.verb, event.action) == (
        people.nurse, people.nurse.name, "patient.view", "R",
    )  # fmt: skip
    assert (event.object_type, event.object_id) == ("patients.patient", str(people.patient.pk))
    assert (event.before, event.after, event.reason, event.recorded_at) == (
        {"a": 1},
        {"a": 2},
        "asked by phone",
        NOW,
    )


def test_the_machine_is_an_actor_too(people):
    assert (note(people, by=None).actor, note(people, by=None).actor_label) == (None, "Stepwise")


def test_an_event_is_not_edited_and_not_removed(people):
    event = note(people)

    for act in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(verb="nothing"),
        lambda: AuditEvent.objects.bulk_update([event], ["verb"]),
        lambda: AuditEvent.objects.filter(pk=event.pk).delete(),
    ):
        with pytest.raises(TypeError):
            act()
    assert AuditEvent.objects.get(pk=event.pk).verb == "patient.view"


def test_an_event_goes_with_the_change_it_belongs_to(people):
    before = AuditEvent.objects.count()

    with transaction.atomic():
        note(people)
        transaction.set_rollback(True)

    assert AuditEvent.objects.count() == before


def test_a_long_reason_and_a_long_name_do_not_undo_the_change(people):
    long = make_user(name="N" * 150, email=f"{'e' * 60}@example.com")

    assert len(note(people, by=long, reason="r" * 900).reason) == 500


def test_managers_and_auditors_read_the_trail_of_their_clinic(people):
    own, other = note(people), note(people, clinic=people.other_clinic)

    for role, user in people.staff.items():
        seen = AuditEvent.objects.visible_to(user).filter(verb="patient.view")
        assert list(seen) == ([own] if role in {"manager", "auditor"} else []), role
    assert list(
        AuditEvent.objects.visible_to(people.other_manager).filter(verb="patient.view")
    ) == [other]
    for user in (people.patient.user, people.nobody, AnonymousUser()):
        assert not AuditEvent.objects.visible_to(user).exists()


def test_the_events_of_one_patient(people):
    note(people, patient_id=people.other_patient.id)
    mine = note(people)

    assert mine in AuditEvent.objects.of_patient([people.patient.id])
    assert (
        not AuditEvent.objects.of_patient([people.patient.id])
        .exclude(patient_id=people.patient.id)
        .exists()
    )


def test_only_what_differs_is_a_change(people):
    changed = audit.changes(
        people.patient, {"drives": True, "job": "heavy", "birth_date": NOW.date()}
    )

    assert changed == (
        {"job": "desk", "birth_date": "1990-05-17"},
        {"job": "heavy", "birth_date": "2026-03-02"},
    )
    assert audit.changes(people.patient, {"clinic": people.other_clinic})[1] == {
        "clinic": str(people.other_clinic.pk)
    }


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9", "198.51.100.1"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, "unknown", "127.0.0.1"),
        (1, "203.0.113.9:4711", "127.0.0.1"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "'; drop table", "127.0.0.1"),
    ],
)
def test_the_address_is_looked_for_past_the_stated_proxies_only(
    rf, settings, people, proxies, forwarded, expected
):
    settings.TRUSTED_PROXIES = proxies
    request = rf.get("/", headers={"x-forwarded-for": forwarded})

    assert audit.client_address(request) == expected
    assert note(people, request=request).address == expected


def test_a_request_over_a_socket_has_no_address(rf):
    assert audit.client_address(rf.get("/", REMOTE_ADDR="")) is None
