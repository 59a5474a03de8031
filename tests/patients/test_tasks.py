"""What waits for a person: tasks come with their causes, go with them, and are seen to by one person at a time."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from patients import actions, worklist
from patients.models import Alert, Appointment, ImagingRequest, StepResponse, Task, WorklistDay
from patients.worklist import Cause, Scope, seen_by
from portal.models import AuditEvent, Invitation
from reminders.models import Reminder, Suppression
from tests.factories import make_appointment, make_message, make_reminder
from tests.patients.alerts import raise_alert


def keys(**about) -> set[str]:
    return set(Task.objects.open().filter(**about).values_list("kind", flat=True))


@pytest.fixture
def cause(people, monkeypatch):
    """A kind whose causes the test sets: `cause.there` holds them."""

    class Set:
        there: list[Cause] = []

    kind = replace(worklist.KINDS["visit_missed"], key="made_up", find=lambda scope: Set.there)
    monkeypatch.setitem(worklist.KINDS, "made_up", kind)
    Set.one = Cause(uuid4(), people.clinic.pk, people.patient.pk, date(2026, 3, 4), {"a": 1})
    Set.there = [Set.one]
    return Set


def sync(people) -> int:
    return actions.sync_tasks(now=people.now, kinds=["made_up"])


def test_a_cause_opens_one_task_however_often_it_is_found(people, cause) -> None:
    assert [sync(people), sync(people)] == [1, 0]
    task = Task.objects.get(kind="made_up")
    assert (task.patient, task.clinic, task.due_on, task.facts, task.status) == (
        people.patient, people.clinic, date(2026, 3, 4), {"a": 1}, "requested",
    )  # fmt: skip


def test_the_database_refuses_a_second_task_for_the_same_cause(people, cause) -> None:
    sync(people)
    task = Task.objects.get(kind="made_up")
    task.pk = uuid4()
    with pytest.raises(IntegrityError), transaction.atomic():
        task.save(force_insert=True)


def test_it_says_what_its_cause_says_now(people, cause) -> None:
    sync(people)
    cause.there = [cause.one._replace(facts={"a": 2}, due_on=date(2026, 3, 9), is_pressing=True)]
    sync(people)
    task = Task.objects.get(kind="made_up")
    assert (task.facts, task.due_on, task.is_pressing) == ({"a": 2}, date(2026, 3, 9), True)


def test_it_closes_by_itself_and_opens_again_with_its_cause(people, cause) -> None:
    sync(people)
    actions.claim_task(task=Task.objects.get(kind="made_up"), by=people.nurse, now=people.now)
    cause.there = []
    sync(people)
    task = Task.objects.get(kind="made_up")
    assert (task.status, task.owner, task.settled_at) == ("cancelled", None, people.now)
    cause.there = [cause.one]
    sync(people)
    task.refresh_from_db()
    assert (task.status, task.times, task.settled_at) == ("requested", 2, None)


def test_what_somebody_resolved_stays_so_until_its_cause_comes_anew(people, cause) -> None:
    sync(people)
    task = Task.objects.get(kind="made_up")
    actions.resolve_task(task=task, by=people.nurse, now=people.now, note="Called them.")
    sync(people)
    task.refresh_from_db()
    assert (task.status, task.settled_by, task.note) == ("completed", people.nurse, "Called them.")
    cause.there = []
    sync(people)
    cause.there = [cause.one]
    sync(people)
    task.refresh_from_db()
    assert (task.status, task.times, task.note) == ("requested", 2, "Called them.")


def test_a_new_stamp_opens_what_was_resolved(people, cause) -> None:
    sync(people)
    actions.resolve_task(
        task=Task.objects.get(kind="made_up"), by=people.nurse, now=people.now, note="Called them."
    )
    cause.there = [cause.one._replace(stamp="2")]
    sync(people)
    assert Task.objects.get(kind="made_up").status == "requested"


def test_only_one_person_claims_a_task_and_another_may_have_it_after(people, cause) -> None:
    sync(people)
    task = Task.objects.get(kind="made_up")
    assert actions.claim_task(task=task, by=people.nurse, now=people.now)
    assert not actions.claim_task(task=task, by=people.clerk, now=people.now)
    assert Task.objects.get(kind="made_up").owner == people.nurse
    assert actions.give_back_task(task=task, by=people.nurse, now=people.now)
    assert not actions.give_back_task(task=task, by=people.nurse, now=people.now)
    assert actions.claim_task(task=task, by=people.clerk, now=people.now)
    verbs = AuditEvent.objects.filter(verb__startswith="task.").order_by("id")
    assert list(verbs.values_list("verb", "actor")) == [
        ("task.claim", people.nurse.pk), ("task.give_back", people.nurse.pk), ("task.claim", people.clerk.pk),
    ]  # fmt: skip


def test_resolving_asks_what_was_done_and_happens_once(people, cause) -> None:
    sync(people)
    task = Task.objects.get(kind="made_up")
    with pytest.raises(ValidationError):
        actions.resolve_task(task=task, by=people.nurse, now=people.now, note="  ")
    assert actions.resolve_task(task=task, by=people.nurse, now=people.now, note="Done.")
    assert not actions.resolve_task(task=task, by=people.clerk, now=people.now, note="Me too.")
    assert AuditEvent.objects.get(verb="task.resolve").after == {"kind": "made_up", "note": "Done."}


def test_a_kind_that_fails_holds_up_no_other(people, monkeypatch, caplog) -> None:
    def fail(scope: Scope):
        raise RuntimeError

    monkeypatch.setitem(worklist.KINDS, "draft", replace(worklist.KINDS["draft"], find=fail))
    actions.sync_tasks(now=people.now)
    assert "tasks of the kind draft cannot be brought up to date" in caplog.text
    assert "check_in_silent" not in keys()
    assert keys() >= {"smoker"} or keys() == set()


def test_counts_are_kept_day_by_day(people, cause) -> None:
    sync(people)
    actions.count_tasks(now=people.now)
    cause.there = []
    sync(people)
    actions.count_tasks(now=people.now + timedelta(hours=1))
    actions.count_tasks(now=people.now + timedelta(days=1))
    rows = WorklistDay.objects.filter(kind="made_up").values_list("clinic", "day", "open")
    assert list(rows) == [(people.clinic.pk, people.now.date(), 0)]


# --- Causes ----------------------------------------------------------------------------------


def found(people, key: str) -> list[str]:
    scope = Scope(people.now)
    return sorted(str(cause.subject) for cause in worklist.KINDS[key].find(scope))


def test_an_alert_is_a_task_until_somebody_acknowledges_it(people) -> None:
    alert = raise_alert(people.episode, by=people.patient.user)
    actions.sync_tasks(now=people.now)
    assert Task.objects.get(kind="alert").subject == str(alert.pk)
    actions.acknowledge_alert(alert=alert, by=people.nurse, now=people.now)
    assert Task.objects.get(kind="alert").status == "cancelled"
    task = Task.objects.get(kind="alert")
    with pytest.raises(ValidationError):
        actions.resolve_task(task=task, by=people.nurse, now=people.now, note="x")


def test_xrays_are_to_book_from_two_weeks_before_their_window(people) -> None:
    assert found(people, "xray_to_book") == []
    row = people.episode.imaging_requests.get()
    ImagingRequest.objects.filter(pk=row.pk).update(
        window_from=people.now.date() + timedelta(days=14)
    )
    assert found(people, "xray_to_book") == [str(row.pk)]


def test_a_missed_xray_is_a_task_until_another_is_booked(people) -> None:
    visit = make_appointment(people.episode, on=date(2026, 3, 1))
    actions.mark_missed(appointment=visit, by=people.nurse, now=people.now)
    assert keys(patient=people.patient) == {"xray_missed"}
    actions.book_appointment(
        episode=people.episode, kind="xray", on=date(2026, 3, 9), at=visit.local_time, by=people.clerk,
        now=people.now,
    )  # fmt: skip
    assert keys(patient=people.patient) == set()


def test_a_child_that_was_not_brought_has_a_list_of_its_own(people) -> None:
    for episode in (people.child_episode, people.episode):
        visit = make_appointment(episode, on=date(2026, 3, 1), kind="clinic")
        actions.mark_missed(appointment=visit, by=people.nurse, now=people.now)
    assert keys(patient=people.child) == {"not_brought"}
    assert keys(patient=people.patient) == {"visit_missed"}


def test_an_xray_that_was_taken_waits_for_its_result(people) -> None:
    row = people.episode.imaging_requests.get()
    visit = make_appointment(people.episode, on=date(2026, 3, 1))
    ImagingRequest.objects.filter(pk=row.pk).update(appointment=visit, status="active")
    actions.mark_attended(appointment=visit, by=people.radiographer, now=people.now)
    assert keys(patient=people.patient) == {"xray_result"}


def test_smokers_near_surgery_are_found_until_they_stop(people) -> None:
    people.episode.anchor_dates.filter(anchor="surgery").update(on=date(2026, 4, 10))
    people.other_episode.anchor_dates.filter(anchor="surgery").update(on=date(2026, 4, 10))
    assert found(people, "smoker") == [str(people.episode.pk)]
    actions.set_anchor(
        episode=people.episode, anchor="quit", on=date(2026, 3, 1), by=people.nurse, now=people.now
    )
    assert found(people, "smoker") == []


def test_a_question_waits_until_it_is_answered(people) -> None:
    step = people.adult_version.steps.get(key="insurer")
    asked = actions.answer_step(
        episode=people.episode, step=step, occurrence=0, answer="question", by=people.carer, now=people.now
    )  # fmt: skip
    assert keys() == {"question"}
    assert actions.reply_to_question(
        response=asked, reply="Yes, bring it.", by=people.nurse, now=people.now
    )
    assert not actions.reply_to_question(
        response=asked, reply="No.", by=people.nurse, now=people.now
    )
    assert keys() == set()
    asked.refresh_from_db()
    assert (asked.reply, asked.replied_by) == ("Yes, bring it.", people.nurse)


def test_a_question_that_is_taken_back_waits_for_nobody(people) -> None:
    step = people.adult_version.steps.get(key="insurer")
    about = {"episode": people.episode, "step": step, "occurrence": 0, "answer": "question"}
    actions.answer_step(**about, by=people.carer, now=people.now)
    actions.withdraw_answer(**about, by=people.carer)
    assert keys() == set()
    assert not StepResponse.objects.exists()


def test_reminders_that_failed_lately_are_found(people) -> None:
    row = make_reminder(people.episode, state="failed", reason="refused", settled_at=people.now)
    old = people.now - timedelta(days=15)
    make_reminder(people.episode, state="failed", reason="refused", settled_at=old)
    assert found(people, "not_sent") == [str(row.pk)]


def test_reminders_whose_mail_came_back_are_found_with_the_reason(people) -> None:
    long_ago = people.now - timedelta(days=15)
    rows = [make_reminder(people.episode) for _ in range(3)]
    for row, bounced_at in zip(rows, (people.now, long_ago, None), strict=True):
        make_message(people.patient.user, people.clinic, [row], bounced_at=bounced_at)
    assert found(people, "not_sent") == [str(rows[0].pk)]
    actions.sync_tasks(now=people.now, kinds=["not_sent"])
    task = Task.objects.get(kind="not_sent")
    assert "It was sent and came back" in worklist.KINDS["not_sent"].words(task)


def test_who_cannot_be_reached_is_found_with_the_reason(people) -> None:
    Suppression.objects.create(address="otto@example.com", reason="no_such_address")
    people.patient.user.last_login = people.now
    people.patient.user.save()
    actions.sync_tasks(now=people.now, kinds=["unreachable"])
    assert Task.objects.get(patient=people.other_patient).facts == {"why": "closed"}
    Suppression.objects.update(lifted_at=people.now)
    actions.sync_tasks(now=people.now, kinds=["unreachable"], patient=people.other_patient)
    assert Task.objects.get(patient=people.other_patient).status == "cancelled"


def test_who_did_not_get_their_invitation_is_found_until_another_one_goes(people) -> None:
    about = {"clinic": people.clinic, "expires_at": people.now + timedelta(days=14)}
    mother = Invitation.objects.create(
        user=people.carer, token_hash="a", refused_at=people.now, **about
    )

    actions.sync_tasks(now=people.now, kinds=["unreachable"])
    [task] = Task.objects.filter(facts={"why": "refused"})
    assert task.patient
    assert task.patient.related_people.filter(user=people.carer).exists()

    mother.withdrawn_at = people.now
    mother.save()
    Invitation.objects.create(user=people.carer, token_hash="b", **about)
    actions.sync_tasks(now=people.now, kinds=["unreachable"])
    assert list(Task.objects.filter(facts={"why": "refused"}).values_list("status", flat=True)) == [
        "cancelled"
    ]


def test_a_check_in_that_nobody_answers_is_found_after_three_days(people) -> None:
    row = make_reminder(people.episode, people.adult_version.steps.get(key="wound-check"))
    asked = people.now - timedelta(days=4)
    make_message(people.patient.user, people.clinic, [row], sent_at=asked)
    assert found(people, "check_in_silent") == [str(people.episode.pk)]
    assert Reminder.objects.get(pk=row.pk).state == "sent"


def test_who_has_surgery_soon_and_lacks_something_is_found(people) -> None:
    people.episode.anchor_dates.filter(anchor="surgery").update(on=date(2026, 3, 12))
    actions.sync_tasks(now=people.now, kinds=["not_ready"])
    assert Task.objects.get().facts["lacking"] == ["assessment", "smoke_free", "contact"]
    make_appointment(
        people.episode,
        on=date(2026, 3, 1),
        kind="pre_assessment",
        status=Appointment.Status.FULFILLED,
    )
    actions.sync_tasks(now=people.now, kinds=["not_ready"])
    assert Task.objects.get().facts["lacking"] == ["smoke_free", "contact"]


def test_nothing_waits_about_somebody_who_died(people) -> None:
    visit = make_appointment(people.episode, on=date(2026, 3, 1))
    actions.mark_missed(appointment=visit, by=people.nurse, now=people.now)
    actions.mark_deceased(
        patient=people.patient, on=people.now.date(), by=people.nurse, now=people.now
    )
    assert keys(patient=people.patient) == set()


# --- Who sees what ---------------------------------------------------------------------------


def test_each_role_sees_the_kinds_of_its_work_at_its_own_clinic(people, cause) -> None:
    sync(people)
    raise_alert(people.episode, by=people.patient.user)
    actions.sync_tasks(now=people.now, kinds=["alert"])
    seen = {
        role: set(Task.objects.filter(seen_by(user)).values_list("kind", flat=True))
        for role, user in people.staff.items()
    }
    assert seen["nurse"] == {"alert", "made_up"}
    assert seen["clerk"] == {"made_up"}
    assert seen["auditor"] == set()
    assert not Task.objects.filter(seen_by(people.other_manager)).exists()
    assert not Task.objects.visible_to(people.other_manager).exists()
    assert not Task.objects.visible_to(people.patient.user).exists()
    assert Alert.objects.count() == 1


@pytest.mark.parametrize("key", list(worklist.KINDS))
def test_a_kind_asks_the_database_as_often_for_one_as_for_many(
    people, django_assert_max_num_queries, key
) -> None:
    for episode in people.episodes[:3]:
        make_reminder(
            episode, state="failed", reason="x", settled_at=people.now, recipient=people.carer
        )
        raise_alert(episode, by=people.carer)
    with django_assert_max_num_queries(3):
        list(worklist.KINDS[key].find(Scope(people.now)))
