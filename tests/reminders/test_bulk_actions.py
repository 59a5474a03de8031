"""Several rows at once: shown first, done once, and what cannot be done is left out with its reason."""

from datetime import date, time, timedelta

from django.urls import reverse

from patients.models import Appointment, Hold
from portal.models import AuditEvent, Invitation
from reminders.models import Reminder
from reminders.reconciler import reconcile
from tests.factories import make_appointment, make_episode, make_patient, make_reminder

PATIENTS = "admin:patients_patient_changelist"
EPISODES = "admin:patients_episode_changelist"
VISITS = "admin:patients_appointment_changelist"
REMINDERS = "admin:reminders_reminder_changelist"


def test_several_patients_are_invited_once(people, sign_in):
    new = make_patient(people.clinic, email="new@example.com", record_number="N1")
    new.user.set_unusable_password()
    new.user.save()
    browser = sign_in(people.clerk)
    fields = {
        "action": "invite_chosen",
        "_selected_action": [str(row.pk) for row in (new, people.child, people.patient)],
    }

    other = make_patient(people.clinic, email="came@example.com", record_number="N2")
    other.user.set_unusable_password()
    other.user.save()
    Invitation.objects.create(
        user=other.user, clinic=people.clinic, token_hash="0" * 64, expires_at=people.now, accepted_at=people.now
    )  # fmt: skip
    fields["_selected_action"].append(str(other.pk))

    page = browser.post(reverse(PATIENTS), fields)

    lines = {line.row.pk: str(line.why_not) for line in page.context["lines"]}
    assert lines == {
        new.pk: "", people.child.pk: "no email address", people.patient.pk: "has a login already",
        other.pk: "has a login already",
    }  # fmt: skip
    assert Invitation.objects.filter(accepted_at=None).count() == 0
    for _ in range(2):
        browser.post(reverse(PATIENTS), fields | {"confirm": "1", "ticket": "once"})
    assert Invitation.objects.get(accepted_at=None).user == new.user


def test_several_reminders_are_stopped_with_one_reason(people, sign_in):
    rows = [make_reminder(people.episode) for _ in range(3)]
    Reminder.objects.filter(pk=rows[2].pk).update(state="skipped")
    browser = sign_in(people.nurse)
    fields = {"action": "stop_chosen", "_selected_action": [str(row.pk) for row in rows]}
    assert "This happens to 2 rows" in browser.post(reverse(REMINDERS), fields).content.decode()

    browser.post(reverse(REMINDERS), fields | {"confirm": "1", "ticket": "t1", "reason": ""})
    assert not Reminder.objects.filter(state="cancelled").exists()
    browser.post(reverse(REMINDERS), fields | {"confirm": "1", "ticket": "t2", "reason": "asked"})

    states = [Reminder.objects.get(pk=row.pk).state for row in rows]
    assert states == ["cancelled", "cancelled", "skipped"]


def chosen(name, rows, **fields):
    return {"action": name, "_selected_action": [str(row.pk) for row in rows], **fields}


def confirmed(name, rows, ticket, **fields):
    return chosen(name, rows, confirm="1", ticket=ticket, **fields)


def test_several_visits_get_their_outcome_and_what_lies_ahead_does_not(people, sign_in):
    past = [make_appointment(people.episode, on=date(2026, 3, 1), kind="clinic") for _ in range(2)]
    ahead = make_appointment(people.episode, on=date(2026, 3, 9))
    browser, url = sign_in(people.clerk), reverse(VISITS)

    page = browser.post(url, chosen("attended_chosen", [*past, ahead]))

    assert [str(line.why_not) for line in page.context["lines"]] == ["", "", "lies ahead"]
    assert set(Appointment.objects.values_list("status", flat=True)) == {"booked"}
    browser.post(url, confirmed("attended_chosen", [past[0], ahead], "t1"))
    browser.post(url, confirmed("missed_chosen", past, "t2"))
    states = [Appointment.objects.get(pk=row.pk).status for row in (*past, ahead)]
    assert states == ["fulfilled", "noshow", "booked"]


def test_a_day_of_visits_is_called_off_with_one_reason(people, sign_in):
    rows = [make_appointment(people.episode, on=date(2026, 3, 9), at=time(9 + n)) for n in range(2)]
    over = make_appointment(people.other_episode, on=date(2026, 3, 1))
    browser, url = sign_in(people.radiographer), reverse(VISITS)
    browser.post(url, confirmed("cancel_chosen", [*rows, over], "t1", reason=""))
    assert not Appointment.objects.filter(status="cancelled").exists()

    browser.post(
        url, confirmed("cancel_chosen", [*rows, over], "t2", reason="The machine is broken")
    )

    assert list(Appointment.objects.filter(status="cancelled").order_by("starts_at")) == rows
    reasons = AuditEvent.objects.filter(verb="appointment.cancel").values_list("reason", flat=True)
    assert list(reasons) == ["The machine is broken"] * 2


def test_several_plans_are_paused_and_go_on_one_by_one(planned, sign_in):
    rows = [planned.episode, planned.other_episode, planned.child_episode]
    browser, url = sign_in(planned.nurse), reverse(EPISODES)
    for ticket in ("t1", "t2"):
        browser.post(
            url, confirmed("hold_chosen", rows[:2], ticket, what="physiotherapy", reason="Flood")
        )

    assert Hold.objects.count() == 2
    for episode in rows:
        reconcile(episode, now=planned.now)
    open_ones = Reminder.objects.open().filter(category="physiotherapy")
    assert not open_ones.filter(episode__in=rows[:2]).exists()
    assert (
        Hold.objects.filter(category="physiotherapy", reason="Flood", by=planned.nurse).count() == 2
    )


def test_several_episodes_that_are_over_are_finished(people, sign_in):
    over = make_episode(people.sibling, people.child_version, surgery_on=date(2024, 1, 8))
    browser, url = sign_in(people.surgeon), reverse(EPISODES)

    page = browser.post(url, chosen("finish_chosen", [over, people.episode]))

    found = {line.row.pk: str(line.why_not) for line in page.context["lines"]}
    assert found == {over.pk: "", people.episode.pk: "surgery has not been yet"}
    browser.post(url, confirmed("finish_chosen", [over, people.episode], "t"))
    over.refresh_from_db()
    people.episode.refresh_from_db()
    assert (over.status, people.episode.status) == ("finished", "planned")


def test_several_reminders_are_sent_now(people, sign_in):
    later = people.now + timedelta(days=1)
    rows = [make_reminder(people.episode, due_at=later, valid_until=later) for _ in range(2)]
    Reminder.objects.filter(pk=rows[1].pk).update(state="skipped")
    browser, url = sign_in(people.clerk), reverse(REMINDERS)
    page = browser.post(url, chosen("send_now_chosen", rows))
    assert "This happens to 1 row" in page.content.decode()

    browser.post(url, confirmed("send_now_chosen", rows, "t"))

    assert [Reminder.objects.get(pk=row.pk).due_at for row in rows] == [people.now, later]
