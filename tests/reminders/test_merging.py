"""Two records of one person become one: nothing is sent twice, everything follows, and the log says what went where."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from patients.actions import (
    claim_task,
    link_carer,
    open_episode,
    register_patient,
    resolve_task,
    sync_tasks,
)
from patients.actions.merging import STAYS, STAYS_WITH_EPISODE
from patients.models import Episode, Merge, Patient, Task
from portal import audit
from portal.models import AuditEvent, User
from reminders.merging import merge, preview
from reminders.models import Message, Reminder, Suppression
from reminders.reconciler import reconcile
from tests.factories import make_appointment, make_message, make_reminder


@pytest.fixture
def double(people):
    """A second record of the patient, with a login and the same operation booked for the same day."""
    patient = register_patient(
        clinic=people.clinic, by=people.clerk, now=people.now, record_number="H-901", given_name="Pat",
        family_name="ONeill", birth_date=people.patient.birth_date, email="pat.two@example.com",
        uses_nicotine=True, drives=True, job="desk", phone="020 7946 0777",
    )  # fmt: skip
    open_episode(
        patient=patient, version=people.adult_version, side="left", surgery_on=people.surgery_on,
        by=people.clerk, now=people.now,
    )  # fmt: skip
    for episode in Episode.objects.filter(patient__in=(patient, people.patient)):
        reconcile(episode, now=people.now)
    return patient


def merged(people, double, **fields):
    given = {
        "kept": people.patient, "ended": double, "login": None, "by": people.manager, "now": people.now,
        "reason": "Same passport",
    }  # fmt: skip
    result = merge(**(given | fields))
    people.patient.refresh_from_db()
    double.refresh_from_db()
    return result


def open_rows(patient):
    return Reminder.objects.filter(episode__patient=patient, state="planned")


def test_the_ended_record_is_gone_and_its_number_finds_the_person(people, double):
    merged(people, double)

    assert double.merged_into == people.patient
    assert not Patient.objects.visible_to(people.manager).filter(pk=double.pk).exists()
    for words in ("H-901", "H-001", "pat oneill", "pat.two@example.com"):
        found = Patient.objects.visible_to(people.manager).found_by(words)
        assert people.patient in found or words == "pat.two@example.com"
    with pytest.raises(ValidationError):
        register_patient(
            clinic=people.clinic, by=people.clerk, now=people.now, record_number="H-901", given_name="A",
            family_name="B", birth_date=people.patient.birth_date,
        )  # fmt: skip


def test_what_waits_about_both_records_waits_once_with_whoever_had_it(people, double):
    for episode in Episode.objects.filter(patient__in=(people.patient, double)):
        episode.anchor_dates.filter(anchor="surgery").update(
            on=people.now.date() + timedelta(days=30)
        )
    sync_tasks(now=people.now, kinds=["smoker"])
    of_ended = Task.objects.get(kind="smoker", patient=double)
    claim_task(task=of_ended, by=people.nurse, now=people.now)
    assert preview(kept=people.patient, ended=double).tasks == 1

    merged(people, double)

    open_ones = Task.objects.open().filter(kind="smoker")
    assert [(row.patient, row.subject, row.owner) for row in open_ones] == [
        (people.patient, str(people.episode.pk), people.nurse)
    ]
    of_ended.refresh_from_db()
    assert (of_ended.status, of_ended.owner) == ("cancelled", None)
    before = list(Task.objects.order_by("pk").values())
    sync_tasks(now=people.now)
    assert list(Task.objects.order_by("pk").values()) == before


def test_what_was_resolved_about_the_ended_record_is_not_opened_again(people, double):
    people.patient.user.last_login = people.now
    people.patient.user.save()
    Suppression.objects.create(address=double.user.email, reason="no_such_address")
    sync_tasks(now=people.now, kinds=["unreachable"])
    task = Task.objects.get(kind="unreachable", patient=double)
    resolve_task(task=task, by=people.clerk, now=people.now, note="Rang them.")

    merged(people, double, login=double.user)

    task.refresh_from_db()
    assert (task.patient, task.subject, task.status) == (
        people.patient, str(people.patient.pk), "completed",
    )  # fmt: skip


def test_an_operation_booked_twice_is_planned_once_and_nothing_is_sent_again(people, double):
    [episode] = people.patient.episodes.all()
    [second] = double.episodes.all()
    sent = second.reminders.filter(state="planned").first()
    make_message(double.user, people.clinic, [sent])
    wanted = {(row.step_key, row.occurrence) for row in open_rows(people.patient)}

    merged(people, double)

    second.refresh_from_db()
    assert second.status == "cancelled"
    assert not second.reminders.filter(state__in=("planned", "retrying", "claimed")).exists()
    rows = list(
        Reminder.objects.filter(episode=episode, step_key=sent.step_key, occurrence=sent.occurrence)
    )
    assert [(row.pk, row.state, row.recipient) for row in rows] == [
        (sent.pk, "sent", people.patient.user)
    ]
    planned = {(row.step_key, row.occurrence) for row in open_rows(people.patient)}
    assert planned == wanted - {(sent.step_key, sent.occurrence)}
    reconcile(Episode.objects.get(pk=episode.pk), now=people.now)
    assert {(row.step_key, row.occurrence) for row in open_rows(people.patient)} == planned


def test_another_operation_goes_over_with_its_plan_to_the_login_that_stays(people, double):
    Episode.objects.filter(patient=double).update(side="right")
    before = open_rows(double).count()

    merged(people, double)

    rows = Reminder.objects.filter(
        episode__patient=people.patient, episode__side="right", state="planned"
    )
    assert rows.count() == before
    assert set(rows.values_list("recipient", flat=True)) == {people.patient.user.pk}


@pytest.mark.parametrize("chosen", ["kept", "ended"])
def test_of_two_logins_one_stays_and_the_other_is_signed_out_and_closed(
    people, double, sign_in, chosen
):
    logins = {"kept": people.patient.user, "ended": double.user}
    login = logins[chosen]
    [other] = [user for user in logins.values() if user != login]
    browser = sign_in(other)
    assert browser.get("/today/").status_code == 200
    message = make_message(other, people.clinic, [make_reminder(people.episode, recipient=other)])

    merged(people, double, login=login)

    assert people.patient.user == login
    other.refresh_from_db()
    assert not other.is_active
    assert browser.get("/today/").status_code == 302
    message.refresh_from_db()
    assert (message.recipient, message.to_address) == (login, other.email)
    assert message in Message.objects.own(login)
    assert set(open_rows(people.patient).values_list("recipient", flat=True)) == {login.pk}


def test_a_login_that_somebody_else_needs_stays_open(people, double):
    link_carer(
        patient=people.child, email="pat.two@example.com", name="P", relationship="aunt", by=people.clerk,
        now=people.now,
    )  # fmt: skip

    merged(people, double)

    assert User.objects.get(email="pat.two@example.com").is_active


def test_visits_carers_and_the_trail_follow(people, double, sign_in):
    visit = make_appointment(double.episodes.get())
    carer = link_carer(
        patient=double,
        email="new@example.com",
        name="N",
        relationship="friend",
        by=people.clerk,
        now=people.now,
    )
    again = link_carer(
        patient=double,
        email=people.carer.email,
        name="C",
        relationship="husband",
        by=people.clerk,
        now=people.now,
    )
    audit.record(
        "R", "patient.view", by=people.nurse, obj=double, clinic=people.clinic, patient_id=double.pk
    )

    log = merged(people, double)

    visit.refresh_from_db()
    carer.refresh_from_db()
    again.refresh_from_db()
    assert visit.episode == people.patient.episodes.get(status="planned")
    assert (carer.patient, carer.ended_at) == (people.patient, None)
    assert again.ended_at == people.now
    assert str(visit.pk) in log.moved["patients.appointment.episode"]
    browser = sign_in(people.patient.user)
    assert people.nurse.name in browser.get(reverse("patients:who_can_see")).content.decode()


def test_the_log_and_the_trail_say_who_and_why(people, double):
    log = merged(people, double)

    assert (log.kept, log.ended, log.by, log.reason) == (
        people.patient, double, people.manager, "Same passport",
    )  # fmt: skip
    assert "patients.episode.patient" in log.moved
    keys = AuditEvent.objects.filter(verb="patient.merge").values_list("patient_id", flat=True)
    assert set(keys) == {people.patient.pk, double.pk}


def test_what_cannot_be_one_person_is_refused(people, double):
    cases = {
        "two records": (people.patient, people.patient),
        "two clinics": (people.patient, people.far_patient),
    }
    for words, (kept, ended) in cases.items():
        with pytest.raises(ValidationError, match=words):
            preview(kept=kept, ended=ended)
    merged(people, double)
    with pytest.raises(ValidationError, match="merged already"):
        preview(kept=people.patient, ended=double)


def test_a_carer_of_the_other_record_is_refused(people, double):
    link_carer(
        patient=people.patient, email="pat.two@example.com", name="P", relationship="aunt", by=people.clerk,
        now=people.now,
    )  # fmt: skip
    with pytest.raises(ValidationError, match="parent or carer"):
        merged(people, double)


def test_a_chain_of_merges_leads_to_the_last(people, double):
    merged(people, double)
    other = people.other_patient
    Episode.objects.filter(patient=other).update(side="both")
    merge(
        kept=other,
        ended=people.patient,
        login=None,
        by=people.manager,
        now=people.now + timedelta(days=1),
        reason="x",
    )
    double.refresh_from_db()
    assert double.merged_into == other
    assert other in Patient.objects.visible_to(people.manager).found_by("H-901")


def test_a_preview_writes_nothing(people, double):
    before = AuditEvent.objects.count()
    seen = preview(kept=people.patient, ended=double)
    assert (seen.episodes, len(seen.booked_twice), len(seen.logins)) == (0, 1, 2)
    assert AuditEvent.objects.count() == before


def test_every_row_that_points_at_a_patient_or_an_operation_goes_over_or_says_why_not():
    """A list with a stale entry would hide that something is left behind."""
    for model, stays in ((Patient, STAYS), (Episode, STAYS_WITH_EPISODE)):
        pointing = {
            relation.related_model._meta.label_lower
            for relation in model._meta.get_fields(include_hidden=True)
            if relation.auto_created and (relation.one_to_many or relation.one_to_one)
        }
        assert set(stays) - pointing == set()


class TestPages:
    def url(self, people):
        return reverse("admin:patient_merge", args=[people.patient.pk])

    def test_a_manager_finds_sees_and_merges_once(self, people, double, sign_in):
        browser = sign_in(people.manager)
        assert "H-901" in browser.get(self.url(people)).content.decode()
        page = browser.post(self.url(people), {"record_number": "H-901"})
        seen = page.context["seen"]
        assert Merge.objects.count() == 0
        fields = {
            "record_number": "H-901", "digest": seen.digest, "reason": "Same passport", "ticket": "once",
            "login": str(double.user.pk),
        }  # fmt: skip

        assert browser.post(self.url(people), fields).status_code == 302
        browser.post(self.url(people), fields)

        assert Merge.objects.get().ended == double
        people.patient.refresh_from_db()
        assert people.patient.user.email == "pat.two@example.com"
        assert "H-901" in browser.get(reverse("admin:merges")).content.decode()
        old = browser.get(reverse("admin:patient_page", args=[double.pk]))
        assert old.url == reverse("admin:patient_page", args=[people.patient.pk])
        far = sign_in(people.other_manager)
        assert far.get(reverse("admin:patient_page", args=[double.pk])).status_code == 404

    def test_what_changed_since_it_was_seen_is_shown_again(self, people, double, sign_in):
        browser = sign_in(people.manager)
        page = browser.post(self.url(people), {"record_number": "H-901"})
        digest = page.context["seen"].digest
        Patient.objects.filter(pk=double.pk).update(given_name="Paula")

        page = browser.post(
            self.url(people), {"record_number": "H-901", "digest": digest, "reason": "r", "ticket": "t",
                               "login": str(double.user.pk)}
        )  # fmt: skip

        assert "Something changed meanwhile" in page.content.decode()
        assert Merge.objects.count() == 0

    def test_another_clinics_number_finds_nothing(self, people, double, sign_in):
        page = sign_in(people.manager).post(self.url(people), {"record_number": "M-001"})
        assert "No record of this clinic" in page.content.decode()
