"""Carers' access over the years: its end at 16, renewing it, telling both ahead, and asking to end it."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from patients.actions import (
    end_carer,
    link_carer,
    plan_access_notices,
    renew_access,
    resolve_task,
    send_access_notices,
    sync_tasks,
)
from patients.models import AccessNotice, RelatedPerson, Task
from patients.worklist import KINDS, Scope
from portal.models import AuditEvent
from tests.factories import NOW, make_carer, make_patient, make_user

TODAY = NOW.date()


def turns(age: int, *, in_days: int) -> date:
    """The date of birth of somebody who turns `age` in so many days."""
    day = TODAY + timedelta(days=in_days)
    return day.replace(year=day.year - age)


@pytest.fixture
def teenager(people):
    """Somebody with an own login who turns 16 in twenty days."""
    return make_patient(
        people.clinic, email="robin@example.com", given_name="Robin", birth_date=turns(16, in_days=20)
    )  # fmt: skip


def linked(patient, by, **fields) -> RelatedPerson:
    values = {"email": "pa@example.com", "name": "Paula Parent", "relationship": "mother", **fields}
    return link_carer(patient=patient, by=by, now=NOW, **values)


def told(mailoutbox) -> list[tuple[str, str]]:
    return [(mail.to[0], mail.body) for mail in mailoutbox]


class TestEnd:
    def test_access_to_a_child_ends_on_the_16th_birthday(self, people, teenager):
        assert linked(teenager, people.clerk).ends_on == TODAY + timedelta(days=20)

    @pytest.mark.parametrize(("chosen", "kept"), [(5, 5), (400, 20)])
    def test_an_earlier_day_stays_and_a_later_one_does_not(self, people, teenager, chosen, kept):
        link = linked(teenager, people.clerk, ends_on=TODAY + timedelta(days=chosen))
        assert link.ends_on == TODAY + timedelta(days=kept)

    def test_an_adults_carer_has_no_last_day(self, people):
        assert linked(people.other_patient, people.clerk).ends_on is None

    def test_from_that_day_on_the_next_request_shows_nothing(
        self, people, teenager, sign_in, stopped_clock
    ):
        link = linked(teenager, people.clerk)
        browser = sign_in(link.user)
        assert "Robin" in browser.get("/today/").text
        stopped_clock.shift(timedelta(days=19))
        assert "Robin" in sign_in(link.user).get("/today/").text
        stopped_clock.shift(timedelta(days=1))
        assert "Robin" not in sign_in(link.user).get("/today/").text

    def test_staff_renew_it_with_a_reason(self, people, teenager, sign_in):
        link = linked(teenager, people.clerk)
        path = reverse("admin:carer_renew", args=[link.pk])
        until = TODAY + timedelta(days=365)
        assert sign_in(people.clerk).get(path).status_code == 403
        answer = sign_in(people.nurse).post(
            path, {"ends_on": str(until), "reason": "Robin agrees", "ticket": "r"}
        )
        assert answer.status_code == 302
        link.refresh_from_db()
        assert link.ends_on == until
        event = AuditEvent.objects.get(verb="carer.renew")
        assert (event.reason, event.after) == ("Robin agrees", {"ends_on": str(until)})

    def test_it_is_not_renewed_beyond_18_nor_once_it_is_over(self, people, teenager):
        link = linked(teenager, people.clerk)
        renew = {"link": link, "by": people.nurse, "now": NOW, "reason": "x"}
        with pytest.raises(ValidationError):
            renew_access(ends_on=teenager.birthday(18) + timedelta(days=1), **renew)
        end_carer(link=link, by=people.clerk, now=NOW)
        with pytest.raises(ValidationError):
            renew_access(ends_on=teenager.birthday(17), **renew)


class TestTelling:
    def test_both_are_told_of_the_end_once(self, people, teenager, mailoutbox):
        linked(teenager, people.clerk)
        assert plan_access_notices(now=NOW) == 4
        assert plan_access_notices(now=NOW) == 0
        assert send_access_notices(now=NOW) == 2
        assert send_access_notices(now=NOW) == 0
        bodies = dict(told(mailoutbox))
        assert "You can see the record of Robin" in bodies["pa@example.com"]
        assert "Paula Parent can see your record until 22 Mar 2026" in bodies["robin@example.com"]
        assert {mail.subject for mail in mailoutbox} == {"Who may see a record"}

    def test_they_are_told_again_a_week_before(self, people, teenager, mailoutbox):
        linked(teenager, people.clerk)
        plan_access_notices(now=NOW)
        send_access_notices(now=NOW)
        assert send_access_notices(now=NOW + timedelta(days=13)) == 2

    def test_who_is_linked_late_is_told_once_and_not_twice_at_once(self, people, mailoutbox):
        soon = make_patient(people.clinic, email=None, birth_date=turns(16, in_days=3))
        linked(soon, people.clerk)
        plan_access_notices(now=NOW)
        plan_access_notices(now=NOW + timedelta(days=1))
        assert send_access_notices(now=NOW + timedelta(days=1)) == 1

    def test_renewed_access_is_not_said_to_end(self, people, teenager, mailoutbox):
        link = linked(teenager, people.clerk)
        plan_access_notices(now=NOW)
        renew_access(
            link=link, ends_on=teenager.birthday(17), by=people.nurse, now=NOW, reason="agreed"
        )
        assert send_access_notices(now=NOW) == 0

    def test_ended_access_and_the_dead_are_not_written_about(self, people, teenager, mailoutbox):
        link = linked(teenager, people.clerk)
        plan_access_notices(now=NOW)
        end_carer(link=link, by=people.clerk, now=NOW)
        assert send_access_notices(now=NOW) == 0
        child = make_patient(
            people.clinic, email=None, birth_date=turns(16, in_days=9), deceased_on=TODAY
        )
        make_carer(child, make_user(), ends_on=TODAY + timedelta(days=9))
        assert plan_access_notices(now=NOW) == 0

    def test_the_13th_birthday_is_told_ahead(self, people, mailoutbox):
        child = make_patient(
            people.clinic, email="kit@example.com", given_name="Kit", birth_date=turns(13, in_days=30)
        )  # fmt: skip
        linked(child, people.clerk)
        plan_access_notices(now=NOW)
        assert send_access_notices(now=NOW) == 2
        bodies = dict(told(mailoutbox))
        assert "Kit turns 13 on 1 Apr 2026." in bodies["pa@example.com"]
        assert "You turn 13 on 1 Apr 2026." in bodies["kit@example.com"]

    def test_parents_are_told_of_themselves_alone(self, people, mailoutbox):
        child = make_patient(people.clinic, email=None, birth_date=turns(16, in_days=7))
        linked(child, people.clerk)
        linked(child, people.clerk, email="ma@example.com", name="Mara Other")
        plan_access_notices(now=NOW)
        send_access_notices(now=NOW)
        bodies = dict(told(mailoutbox))
        assert "Mara" not in bodies["pa@example.com"]
        assert "Paula" not in bodies["ma@example.com"]

    def test_what_the_server_refuses_is_tried_again(self, people, teenager, settings):
        settings.EMAIL_BACKEND = "tests.patients.test_access.Nowhere"
        linked(teenager, people.clerk)
        plan_access_notices(now=NOW)
        assert send_access_notices(now=NOW) == 0
        assert AccessNotice.objects.filter(sent_at=None).count() == 4


class TestReview:
    """What the people at home are told of ahead, the clinic has as a task."""

    def found(self) -> list[tuple[str, str]]:
        causes = list(KINDS["access_review"].find(Scope(NOW)))
        return [(cause.facts["who"], cause.facts["on"]) for cause in causes]

    @pytest.mark.parametrize(
        ("in_days", "is_there"), [(31, False), (30, True), (0, True), (-30, True), (-200, False)]
    )
    def test_a_child_who_turns_13(self, people, in_days, is_there):
        child = make_patient(people.clinic, email=None, birth_date=turns(13, in_days=in_days))
        linked(child, people.clerk)
        on = str(TODAY + timedelta(days=in_days))
        assert self.found() == ([("Paula Parent", on)] if is_there else [])

    def test_access_that_ends_soon_until_it_is_renewed(self, people, teenager):
        link = linked(teenager, people.clerk)
        assert self.found() == [("Paula Parent", str(TODAY + timedelta(days=20)))]
        renew_access(
            link=link, ends_on=teenager.birthday(17), by=people.nurse, now=NOW, reason="agreed"
        )
        assert self.found() == []

    def test_seen_to_it_stays_so_and_does_not_come_back(self, people):
        child = make_patient(people.clinic, email=None, birth_date=turns(13, in_days=9))
        linked(child, people.clerk)
        sync_tasks(now=NOW)
        task = Task.objects.get(kind="access_review")
        assert "talk about what Paula Parent may see" in KINDS["access_review"].words(task)
        resolve_task(task=task, by=people.nurse, now=NOW, note="Talked with both.")
        sync_tasks(now=NOW + timedelta(days=1))
        assert Task.objects.get(kind="access_review").status == "completed"

    def test_ended_access_and_the_dead_are_left_in_peace(self, people):
        child = make_patient(people.clinic, email=None, birth_date=turns(13, in_days=9))
        end_carer(link=linked(child, people.clerk), by=people.clerk, now=NOW)
        gone = make_patient(
            people.clinic, email=None, birth_date=turns(13, in_days=9), deceased_on=TODAY
        )
        make_carer(gone, make_user())
        assert self.found() == []


class Nowhere:
    """A mail backend that is never there."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.connection = None

    def open(self) -> None:
        raise ConnectionRefusedError

    def send_messages(self, messages: object) -> int:
        raise ConnectionRefusedError

    def close(self) -> None: ...


class TestAskingToEnd:
    def path(self, link: RelatedPerson) -> str:
        return reverse("patients:ask_access_end", args=[link.pk])

    def test_a_patient_asks_staff_see_it_and_it_can_be_taken_back(self, people, sign_in):
        link = RelatedPerson.objects.get(user=people.carer)
        browser = sign_in(people.patient.user)
        for _ in range(2):
            answer = browser.post(self.path(link), {"choice": "ask"}, follow=True)
        assert "The clinic sees what you asked for" in answer.text
        assert AuditEvent.objects.filter(verb="carer.ask_to_end").count() == 1
        page = sign_in(people.clerk).get(reverse("admin:patient_page", args=[people.patient.pk]))
        assert "somebody at home asked on 2 Mar to end it" in page.text
        browser.post(self.path(link), {"choice": "undo"})
        link.refresh_from_db()
        assert link.end_asked_at is None

    def test_it_is_a_task_at_once_until_the_access_ends_or_the_wish_is_taken_back(
        self, people, sign_in
    ):
        link = RelatedPerson.objects.get(user=people.carer)
        browser, waiting = sign_in(people.patient.user), Task.objects.filter(kind="access_end")
        browser.post(self.path(link), {"choice": "ask"})
        task = waiting.get()
        assert (task.patient, task.is_pressing) == (people.patient, True)
        assert "Carl Carer" in KINDS["access_end"].words(task)
        assert "Access to end" in sign_in(people.clerk).get(reverse("admin:index")).text
        browser.post(self.path(link), {"choice": "undo"})
        assert not waiting.filter(status="requested").exists()
        browser.post(self.path(link), {"choice": "ask"})
        end_carer(link=link, by=people.clerk, now=NOW)
        assert not waiting.filter(status="requested").exists()

    def test_a_parent_asks_about_their_own_access_alone(self, people, sign_in):
        fathers = RelatedPerson.objects.get(user=people.father, patient=people.child)
        mothers = RelatedPerson.objects.get(user=people.mother, patient=people.child)
        browser = sign_in(people.mother)
        assert browser.post(self.path(fathers)).status_code == 404
        assert browser.post(self.path(mothers)).status_code == 302
        fathers.refresh_from_db()
        assert fathers.end_asked_at is None

    @pytest.mark.parametrize("who", ["other_patient", "former_carer", "nobody", "clerk"])
    def test_nobody_else_can_ask(self, people, sign_in, who):
        link = RelatedPerson.objects.get(user=people.carer)
        person = getattr(people, who)
        browser = sign_in(getattr(person, "user", person))
        missing = browser.post(reverse("patients:ask_access_end", args=[uuid4()]))
        answer = browser.post(self.path(link))
        assert (answer.status_code, answer.content) == (404, missing.content)
