"""Several rows at once: shown first, done once, and what cannot be done is left out with its reason."""

from django.urls import reverse

from portal.models import Invitation
from reminders.models import Reminder
from tests.factories import make_patient, make_reminder

PATIENTS = "admin:patients_patient_changelist"
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

    page = browser.post(reverse(PATIENTS), fields)

    lines = {line.row.pk: str(line.why_not) for line in page.context["lines"]}
    assert lines == {
        new.pk: "", people.child.pk: "no email address", people.patient.pk: "has signed in already",
    }  # fmt: skip
    assert Invitation.objects.count() == 0
    for _ in range(2):
        browser.post(reverse(PATIENTS), fields | {"confirm": "1", "ticket": "once"})
    assert Invitation.objects.get().user == new.user


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
