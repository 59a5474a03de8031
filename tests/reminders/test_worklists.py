"""Today and the worklists: what waits for whom, in whose hands it is, and how it is settled; questions answered."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.urls import reverse

from patients.actions import count_tasks, reply_to_question, sync_tasks
from patients.models import EmergencyAccess, ImagingRequest, Task, WorklistDay
from portal.mail import Answer, Outcome
from portal.models import AuditCheck, AuditEvent
from reminders import pacing
from reminders.models import DailyBalance, Reminder, Suppression
from tests.factories import make_reminder
from tests.patients.alerts import make_question, make_task, raise_alert

TODAY_QUERIES = 16
WORKLIST_QUERIES = 9


def url(page: str, row: Any) -> str:
    return reverse(f"admin:{page}", args=[row.pk])


def today(client) -> Any:
    return client.get(reverse("admin:index"))


# --- Today -----------------------------------------------------------------------------------


def test_today_names_who_needs_a_person_and_leads_there(planned, sign_in) -> None:
    failed = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    Reminder.objects.filter(pk=failed.pk).update(
        state="failed", reason="refused", settled_at=planned.now - timedelta(days=1)
    )
    Suppression.objects.create(address="otto@example.com", reason="no_such_address")
    raise_alert(planned.far_episode, by=planned.far_patient.user)
    sync_tasks(now=planned.now)
    page = today(sign_in(planned.manager)).content.decode()
    assert url("reminders_reminder_change", failed) in page
    assert "Otto Secret" in page
    assert "mail to the address does not arrive" in page
    assert "Fern" not in page


def test_today_shows_each_role_its_own_work(planned, sign_in) -> None:
    titles = {
        role: [row.title for row in today(sign_in(user)).context["worklists"]]
        for role, user in planned.staff.items()
    }
    assert "Questions from patients" in titles["nurse"]
    assert "Questions from patients" not in titles["clerk"]
    assert "X-rays to book" in titles["radiographer"]
    assert "Drafts to approve" in titles["surgeon"]
    assert titles["auditor"] == []


def test_an_auditor_reads_on_today_how_the_trail_is(planned, sign_in) -> None:
    browser = sign_in(planned.auditor)
    assert "not checked yet" in today(browser).content.decode()
    EmergencyAccess.objects.create(
        user=planned.other_clerk, patient=planned.patient, clinic=planned.clinic, reason="Unconscious",
        from_clinic=planned.other_clinic, ends_at=planned.now,
    )  # fmt: skip
    AuditCheck.objects.create(
        asked_by=planned.auditor, finished_at=planned.now, faults=[["altered", 3, 7]]
    )
    page = today(browser)
    trail = page.context["trail"]
    assert (trail["emergencies"], trail["merges"], len(trail["check"].faults)) == (1, 0, 1)
    assert "sw-card--bad" in page.content.decode()
    assert today(sign_in(planned.manager)).context["trail"] is None


def test_today_says_what_is_empty_instead_of_leaving_it_out(planned, sign_in) -> None:
    page = today(sign_in(planned.nurse)).content.decode()
    assert "No alert waits for anybody." in page
    assert "No surgery in the next 14 days." in page


def test_today_says_who_is_ready_for_surgery(planned, sign_in) -> None:
    planned.other_episode.anchor_dates.filter(anchor="surgery").update(on=date(2026, 3, 9))
    planned.other_patient.user.last_login = planned.now
    planned.other_patient.user.save()
    (row,) = today(sign_in(planned.clerk)).context["operations"]
    assert (row.episode, row.countdown) == (planned.other_episode, "in 7 days")
    assert row.items == [
        ("consent", True), ("check before surgery", False), ("smoke-free", True),
        ("contact confirmed", True),
    ]  # fmt: skip


def test_today_pictures_counts_over_time(planned, sign_in) -> None:
    for ago, n in ((2, 3), (1, 1)):
        WorklistDay.objects.create(
            clinic=planned.clinic,
            kind="alert",
            day=planned.now.date() - timedelta(days=ago),
            open=n,
        )
        WorklistDay.objects.create(
            clinic=planned.other_clinic, kind="alert", day=planned.now.date() - timedelta(days=ago), open=9
        )  # fmt: skip
    raise_alert(planned.episode, by=planned.patient.user)
    sync_tasks(now=planned.now)
    count_tasks(now=planned.now)
    DailyBalance.objects.create(
        clinic=planned.clinic,
        day=planned.now.date(),
        due=5,
        sent=4,
        missed=1,
        checked_at=planned.now,
    )
    answer = today(sign_in(planned.nurse))
    picture = answer.context["worklists"][0].picture
    assert (picture.first, picture.last, picture.most) == (3, 1, 3)
    assert picture.points == "0.0,0.0 60.0,18.7 120.0,18.7"
    assert "Open since 28 Feb: from 3 to 1, at most 3" in answer.content.decode()
    mails = answer.context["machine"]["mails"]
    assert (mails.good, mails.bad, len(mails.bars)) == (4, 1, 14)


def test_today_says_that_no_mail_leaves_and_that_reminders_are_unaccounted_for(
    planned, sign_in
) -> None:
    client = sign_in(planned.nurse)
    unwell = "The mail server refuses our mail for now:", "Some reminders are unaccounted for."
    page = today(client).text
    assert [words in page for words in unwell] == [False, False]
    pacing.pause(
        "busy.example", Answer(Outcome.SLOW_DOWN, "421 later"), reason="asked_to_slow_down"
    )
    assert unwell[0] not in today(client).text
    pacing.pause(
        "", Answer(Outcome.CHANNEL_REFUSED, "535 wrong key"), reason="login_or_tls_refused"
    )
    DailyBalance.objects.create(
        clinic=planned.clinic, day=planned.now.date(), due=2, sent=1, gap=1, checked_at=planned.now
    )
    page = today(client).text
    assert [words in page for words in (*unwell, "535 wrong key")] == [True, True, True]


def test_today_costs_the_same_with_one_entry_as_with_many(
    planned, sign_in, django_assert_num_queries
) -> None:
    client = sign_in(planned.manager)
    requests = ImagingRequest.objects.filter(episode__patient__clinic=planned.clinic)
    today(client)
    for number, due in ((1, requests.order_by("pk")[:1]), (3, requests)):
        for _number in range(number):
            make_reminder(planned.episode, state="failed", reason="refused", settled_at=planned.now)
        ids = list(due.values_list("pk", flat=True))
        ImagingRequest.objects.filter(pk__in=ids).update(
            window_from=date(2026, 2, 1), window_until=date(2026, 2, 20)
        )
        sync_tasks(now=planned.now)
        with django_assert_num_queries(TODAY_QUERIES):
            today(client)


# --- Worklists -------------------------------------------------------------------------------


def listed(client, **query: str) -> list[Task]:
    answer = client.get(reverse("admin:worklist"), query)
    return [entry["task"] for entry in answer.context["entries"]]


def test_a_list_holds_what_presses_first_and_can_be_narrowed(people, sign_in) -> None:
    late = make_task(people.episode, due_on=date(2026, 2, 1))
    pressing = make_task(people.other_episode, is_pressing=True)
    mine = make_task(people.child_episode, owner=people.nurse, status="in-progress")
    alert = make_task(people.episode, kind="alert", subject=str(raise_alert(people.episode, by=people.carer).pk),
                      facts={"sign": "Fever", "raised_at": "2026-03-02T09:00:00+00:00"})  # fmt: skip
    make_task(people.far_episode)
    make_task(people.episode, status="cancelled")
    client = sign_in(people.nurse)
    assert listed(client, kind="xray_to_book") == [pressing, late, mine]
    assert set(listed(client)) == {pressing, late, mine, alert}
    assert listed(client, whose="mine") == [mine]
    assert set(listed(client, whose="free", kind="xray_to_book")) == {pressing, late}
    assert set(listed(sign_in(people.clerk))) == {pressing, late, mine}


def test_a_list_costs_the_same_for_one_as_for_many(
    people, sign_in, django_assert_num_queries
) -> None:
    client = sign_in(people.nurse)
    client.get(reverse("admin:worklist"))
    for number in (1, 30):
        for _n in range(number):
            make_task(people.episode)
        with django_assert_num_queries(WORKLIST_QUERIES):
            client.get(reverse("admin:worklist"))


def test_claiming_and_giving_back(people, sign_in) -> None:
    task = make_task(people.episode)
    nurse, clerk = sign_in(people.nurse), sign_in(people.clerk)
    nurse.post(url("task_claim", task))
    answer = clerk.post(url("task_claim", task), follow=True)
    assert "Somebody was faster" in answer.content.decode()
    assert Task.objects.get(pk=task.pk).owner == people.nurse
    clerk.post(url("task_give_back", task))
    assert Task.objects.get(pk=task.pk).owner is None


def test_resolving_asks_for_a_note_and_is_audited(people, sign_in) -> None:
    task = make_task(people.episode)
    client = sign_in(people.radiographer)
    assert "due by 9 Mar 2026" in client.get(url("task_resolve", task)).content.decode()
    refused = client.post(url("task_resolve", task), {"note": ""})
    assert "Please fill this in." in refused.content.decode()
    for _press in range(2):
        client.post(url("task_resolve", task), {"note": "Booked elsewhere."})
    task.refresh_from_db()
    assert (task.status, task.note, task.settled_by) == (
        "completed", "Booked elsewhere.", people.radiographer,
    )  # fmt: skip
    assert AuditEvent.objects.filter(verb="task.resolve").count() == 1


def test_a_task_of_a_kind_that_the_role_does_not_see_is_missing(people, sign_in) -> None:
    facts = {"asked": "2026-03-01", "note": ""}
    question = str(make_question(people.episode).pk)
    task = make_task(people.episode, kind="question", subject=question, facts=facts)
    answers = [
        sign_in(user).get(url("task_resolve", task)).status_code
        for user in (people.nurse, people.clerk, people.other_manager)
    ]
    assert answers == [200, 404, 404]


def test_a_task_that_comes_back_says_what_was_done_before(people, sign_in) -> None:
    make_task(people.episode, times=2, note="Rang the mother.", settled_by=people.nurse)
    page = sign_in(people.clerk).get(reverse("admin:worklist")).content.decode()
    assert "What was done then: Rang the mother." in page


# --- Questions -------------------------------------------------------------------------------


def test_a_question_is_answered_once_and_whoever_asked_is_told(planned, sign_in) -> None:
    question = make_question(planned.episode, by=planned.carer)
    client = sign_in(planned.nurse)
    assert "May I swim?" in client.get(url("question_answer", question)).content.decode()
    for reply in ("Yes, after six weeks.", "No."):
        client.post(url("question_answer", question), {"reply": reply})
    question.refresh_from_db()
    assert (question.reply, question.replied_by) == ("Yes, after six weeks.", planned.nurse)
    notice = Reminder.objects.get(kind="question_answered")
    assert (notice.recipient, notice.is_essential, notice.state) == (
        planned.carer,
        False,
        "planned",
    )
    assert (
        "Yes, after six weeks." in client.get(url("patient_page", planned.patient)).content.decode()
    )


def test_whoever_asked_reads_the_answer_with_the_step(planned, sign_in) -> None:
    step = planned.adult_version.steps.get(key="pack-bag")
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    question = make_question(planned.episode, step=step, occurrence=row.occurrence)
    reply_to_question(response=question, reply="A small one.", by=planned.nurse, now=planned.now)
    page = sign_in(planned.patient.user).get(reverse("reminders:why", args=[row.pk]))
    assert "A small one." in page.content.decode()


def test_a_carer_whose_access_has_ended_is_told_nothing(planned, sign_in) -> None:
    question = make_question(planned.episode, by=planned.former_carer)
    sign_in(planned.nurse).post(url("question_answer", question), {"reply": "Yes."})
    assert not Reminder.objects.filter(kind="question_answered").exists()


@pytest.mark.parametrize("who", ["clerk", "radiographer", "auditor"])
def test_who_does_not_treat_patients_reads_no_question(people, sign_in, who) -> None:
    question = make_question(people.episode)
    assert sign_in(people.staff[who]).get(url("question_answer", question)).status_code == 403


def test_a_warning_sign_stands_above_what_is_overdue_for_longer(planned, sign_in) -> None:
    make_task(planned.episode, due_on=date(2026, 1, 1), is_pressing=True)
    alert = raise_alert(planned.episode, by=planned.carer, severity="call")
    sync_tasks(now=planned.now, kinds=["alert"])
    page = sign_in(planned.nurse).get(reverse("admin:worklist"))
    assert page.context["entries"][0]["task"].subject == str(alert.pk)
    assert [entry["task"].kind for entry in page.context["entries"]] == ["alert", "xray_to_book"]
