"""A reader's pages: today, plan, messages, why, answers, settings, and the link that stops mail."""

import re
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from patients.actions import answer_step, reply_to_question
from patients.models import Episode, PlanRequest, RelatedPerson, StepResponse, Task
from patients.querysets import EpisodeQuerySet
from portal.models import AuditEvent
from reminders import actions, unsubscribe
from reminders.models import Decision, Message, Preference, Reminder
from tests.factories import NOW, make_appointment, make_message, make_reminder

PAGES = ("/today/", "/plan/", "/messages/", "/settings/reminders/")


def step_of(people, key: str) -> object:
    return people.adult_version.steps.get(key=key)


@pytest.fixture
def row(people) -> Reminder:
    """A step of today, for the patient."""
    return make_reminder(people.episode, step_of(people, "insurer"))


@pytest.fixture
def sent(people, row) -> Message:
    """The mail that carried it."""
    return make_message(
        people.patient.user, people.clinic, [row], subject="Call your insurer", text="Plain words",
        html="<html><head></head><body>Bold words</body></html>",
    )  # fmt: skip


class TestEveryPage:
    @pytest.mark.parametrize("path", PAGES)
    def test_it_works_for_a_patient_and_a_carer(self, planned, sign_in, path):
        for who in (planned.patient.user, planned.carer, planned.mother, planned.sibling.user):
            assert sign_in(who).get(path).status_code == 200

    @pytest.mark.parametrize("path", PAGES)
    def test_a_stranger_signs_in_first(self, client, db, path):
        assert client.get(path).headers["Location"] == f"/accounts/login/?next={path}"

    @pytest.mark.parametrize("path", PAGES)
    def test_who_is_linked_to_no_one_sees_no_one(self, planned, sign_in, path):
        for who in (planned.nobody, planned.former_carer, planned.clerk, planned.manager):
            text = sign_in(who).get(path).text
            for patient in (planned.patient, planned.other_patient, planned.child):
                assert patient.given_name not in text

    @pytest.mark.parametrize("path", PAGES)
    def test_reading_it_is_noted(self, planned, sign_in, path):
        sign_in(planned.carer).get(path)
        event = AuditEvent.objects.first()
        assert (event.action, event.actor, event.patient_id) == (
            "R",
            planned.carer,
            planned.patient.pk,
        )

    @pytest.mark.parametrize("path", PAGES)
    def test_nothing_but_the_audit_trail_is_written(self, planned, sign_in, path):
        def rows() -> list[int]:
            models = (Reminder, Decision, Message, Preference, StepResponse, PlanRequest, Episode)
            return [model.objects.count() for model in models]

        before = rows()
        sign_in(planned.patient.user).get(path)
        assert rows() == before


class TestToday:
    def test_what_is_due_today(self, people, row, sign_in):
        text = sign_in(people.patient.user).get("/today/").text
        assert "Insurer" in text
        assert reverse("reminders:why", args=[row.pk]) in text
        assert "56" in text
        assert "days until surgery" in text

    def test_it_is_never_empty(self, planned, sign_in):
        text = sign_in(planned.other_patient.user).get("/today/").text
        assert "There is nothing new to do today." in text
        assert "What comes next" in text
        assert "Insurer" in text
        assert "020 7946 0001" in text

    def test_what_still_holds_of_yesterday_is_still_open(self, people, sign_in):
        yesterday = NOW.date() - timedelta(days=1)
        make_reminder(
            people.episode, step_of(people, "insurer"), local_date=yesterday, state="missed"
        )
        make_reminder(
            people.episode,
            step_of(people, "driving"),
            local_date=yesterday,
            valid_until=NOW - timedelta(hours=1),
        )
        text = sign_in(people.patient.user).get("/today/").text
        assert "Still open from the last days" in text
        assert "Insurer" in text
        assert "Driving" not in text

    def test_of_a_repeated_step_the_last_time_only(self, people, sign_in):
        for days in (2, 1, 0):
            make_reminder(
                people.episode, step_of(people, "exercises"), occurrence=3 - days,
                local_date=NOW.date() - timedelta(days=days), valid_until=NOW + timedelta(days=3),
            )  # fmt: skip
        text = sign_in(people.patient.user).get("/today/").text
        assert text.count('<h3 class="sw-step-title">Exercises</h3>') == 1
        assert "Still open from the last days" not in text

    @pytest.mark.parametrize(
        ("state", "reason", "is_shown"),
        [
            ("planned", "", True),
            ("skipped", "switched_off", True),
            ("skipped", "already_done", True),
            ("skipped", "portal_only", True),
            ("skipped", "too_late", False),
            ("skipped", "not_for_this_patient", False),
            ("cancelled", "stopped_by_staff", False),
            ("missed", "too_old", True),
        ],
    )
    def test_what_was_not_mailed(self, people, sign_in, state, reason, is_shown):
        step = step_of(people, "insurer")
        make_reminder(people.episode, step, state=state, reason=reason)
        assert ("Insurer" in sign_in(people.patient.user).get("/today/").text) is is_shown

    def test_who_smokes_no_more_is_not_told_to_stop(self, people, sign_in):
        make_reminder(people.episode, step_of(people, "stop-smoking"))
        browser = sign_in(people.patient.user)
        assert "Stop smoking" in browser.get("/today/").text
        people.patient.uses_nicotine = False
        people.patient.save()
        assert "Stop smoking" not in browser.get("/today/").text

    def test_a_step_that_cannot_be_worded_sends_to_the_clinic(self, people, sign_in):
        make_reminder(people.episode, step_of(people, "xray-visit"))
        assert (
            "Please call the clinic about this step."
            in sign_in(people.patient.user).get("/today/").text
        )

    def test_the_reader_sees_own_rows_only(self, people, sign_in):
        make_reminder(people.child_episode, recipient=people.father, step=None)
        mother = sign_in(people.mother).get("/today/").text
        assert "There is nothing new to do today." in mother

    @pytest.mark.parametrize(
        ("status", "words"),
        [("cancelled", "The operation was called off"), ("finished", "Your plan is finished")],
    )
    def test_a_closed_episode(self, people, row, sign_in, status, words):
        Episode.objects.update(status=status)
        text = sign_in(people.patient.user).get("/today/").text
        assert words in text
        assert "Insurer" not in text

    def test_a_patient_without_an_episode(self, people, sign_in):
        Episode.objects.all().delete()
        assert "No operation is planned yet" in sign_in(people.patient.user).get("/today/").text

    def test_the_day_is_the_readers(self, people, sign_in, stopped_clock):
        stopped_clock.move_to(NOW.replace(hour=3))
        assert "Monday 2 March 2026" in sign_in(people.mother).get("/today/").text
        assert "Sunday 1 March 2026" in sign_in(people.father).get("/today/").text

    @pytest.mark.parametrize("rows", [1, 3])
    def test_it_costs_the_same_for_one_and_for_three(
        self, people, sign_in, rows, django_assert_num_queries
    ):
        for key in ("insurer", "driving", "pack-bag")[:rows]:
            make_reminder(people.episode, step_of(people, key))
        browser = sign_in(people.patient.user)
        browser.get("/today/")
        with django_assert_num_queries(15):
            browser.get("/today/")


class TestPlan:
    def test_the_months_are_phases(self, planned, sign_in):
        text = sign_in(planned.patient.user).get("/plan/").text
        for words in (
            "Before surgery",
            "Pack bag",
            "Your surgery",
            "Weeks 7 to 12",
            "After going home",
        ):
            assert words in text
        assert "When your surgeon says so" in text
        assert "Between Mon 8 Jun 2026 and Mon 22 Jun 2026" in text

    def test_what_does_not_apply_is_not_there(self, planned, sign_in):
        assert "Stop smoking" in sign_in(planned.patient.user).get("/plan/").text
        assert "Stop smoking" not in sign_in(planned.other_patient.user).get("/plan/").text

    def test_the_months_are_told_in_one_glance(self, planned, sign_in, stopped_clock):
        stopped_clock.shift(timedelta(days=80))
        text = sign_in(planned.patient.user).get("/plan/").text
        glance = text.partition('class="sw-months"')[2].partition("</ol>")[0]
        assert glance.count('data-state="now"') == glance.count('aria-current="step"') == 1
        past, now, following = (
            glance.index(f'data-state="{one}"') for one in ("past", "now", "next")
        )
        assert past < now < following
        assert re.search(r'href="/plan/behind/\?episode=[0-9a-f-]+#behind-1"', glance)
        (ahead,) = re.findall(r'href="#(phase-\d+)" aria-current="step"', glance)
        assert f'id="{ahead}"' in text

    def test_surgery_that_was_called_off_is_not_ahead(self, planned, sign_in):
        actions.cancel_surgery(episode=planned.episode, by=planned.manager, now=NOW, reason="x")
        text = sign_in(planned.patient.user).get("/plan/").text
        assert "Called off" in text
        assert 'data-state="next"' not in text
        assert "What changed" not in text

    def test_nothing_of_a_plan_that_was_called_off_is_ticked(self, planned, sign_in, stopped_clock):
        stopped_clock.shift(timedelta(days=80))
        browser = sign_in(planned.patient.user)
        assert "Behind you" in browser.get("/plan/").text
        Episode.objects.filter(pk=planned.episode.pk).update(status="cancelled")
        text = browser.get("/plan/").text
        assert "sw-months" in text
        assert "Behind you" not in text

    def test_a_plan_that_is_over_says_what_is_not_translated(self, planned, sign_in, stopped_clock):
        Episode.objects.filter(pk=planned.episode.pk).update(status="finished")
        stopped_clock.shift(timedelta(days=4000))
        type(planned.patient.user).objects.filter(pk=planned.patient.user_id).update(language="ar")
        text = sign_in(planned.patient.user).get("/plan/").text
        assert "جزء من هذا النص ليس متوفرًا بلغتك بعد" in text

    def test_what_lies_behind_has_a_page_of_its_own(self, planned, sign_in, stopped_clock):
        assert "behind you" not in sign_in(planned.patient.user).get("/plan/").text
        stopped_clock.shift(timedelta(days=80))
        browser = sign_in(planned.patient.user)
        text = browser.get("/plan/").text
        assert "steps behind you" in text
        assert "<h2>Before surgery</h2>" not in text
        (path,) = set(re.findall(r'href="(/plan/behind/[^"#]*)"', text))
        behind = browser.get(path).text
        assert "<h2>Before surgery</h2>" in behind
        assert "Pack bag" in behind
        assert 'data-state="next"' not in behind

    def test_with_htmx_what_lies_behind_comes_alone(self, planned, sign_in, stopped_clock):
        stopped_clock.shift(timedelta(days=80))
        browser = sign_in(planned.patient.user)
        text = browser.get("/plan/behind/", headers={"HX-Request": "true"}).text
        assert "<html" not in text
        assert 'id="behind"' in text
        assert "Pack bag" in text

    def test_a_plan_that_is_over_is_shown_as_it_was(self, planned, sign_in, stopped_clock):
        Episode.objects.filter(pk=planned.episode.pk).update(status="finished")
        stopped_clock.shift(timedelta(days=4000))
        text = sign_in(planned.patient.user).get("/plan/").text
        assert "Pack bag" in text
        assert "/plan/behind/" not in text

    def test_what_comes_later_is_a_line_each(self, planned, sign_in):
        text = sign_in(planned.patient.user).get("/plan/").text
        near, far = (
            re.findall(rf'<{tag} class="{name}">(.*?)</{tag}>', text, re.DOTALL)
            for tag, name in (("ol", "sw-path"), ("ul", "sw-path-far"))
        )
        assert "Pack bag" in "".join(far)
        assert "Pack bag" not in "".join(near)
        assert "Your surgery" in "".join(near)

    def test_visits_of_one_kind_that_come_later_are_one_line(self, people, sign_in):
        days = [NOW.date() + timedelta(days=number) for number in (1, 3, 9, 12)]
        visits = [make_appointment(people.episode, on=day, kind="physiotherapy") for day in days]
        text = sign_in(people.patient.user).get("/plan/").text
        shown = [reverse("patients:appointment", args=[visit.pk]) in text for visit in visits]
        assert shown == [True, True, False, False]
        assert "Wed 11 Mar 2026 to Sat 14 Mar 2026, 2 times" in text

    def test_a_carer_for_visits_alone_sees_nothing_behind(self, planned, sign_in):
        RelatedPerson.objects.filter(user=planned.carer).update(scope="appointments")
        assert sign_in(planned.carer).get("/plan/behind/").status_code == 404

    def test_anothers_plan_is_not_shown_behind(self, planned, sign_in, stopped_clock):
        stopped_clock.shift(timedelta(days=80))
        path = f"/plan/behind/?episode={planned.episode.pk}"
        assert "Stop smoking" in sign_in(planned.patient.user).get(path).text
        assert "Stop smoking" not in sign_in(planned.other_patient.user).get(path).text

    def test_a_foreign_episode_is_not_shown(self, planned, sign_in):
        Episode.objects.filter(pk=planned.other_episode.pk).update(side="both")
        text = (
            sign_in(planned.patient.user).get("/plan/", {"episode": planned.other_episode.pk}).text
        )
        assert "both sides" not in text

    @pytest.mark.parametrize("rows", [1, 3])
    def test_it_costs_the_same_for_one_and_for_three(
        self, people, sign_in, rows, django_assert_num_queries
    ):
        for key in ("insurer", "driving", "pack-bag")[:rows]:
            make_reminder(people.episode, step_of(people, key))
        browser = sign_in(people.patient.user)
        browser.get("/plan/")
        with django_assert_num_queries(15):
            browser.get("/plan/")


class TestOlderMessages:
    def test_older_ones_stand_on_the_next_page_and_none_is_lost(self, people, sign_in):
        step = step_of(people, "insurer")
        for number in range(33):
            row = make_reminder(people.episode, step, occurrence=number)
            at = NOW - timedelta(days=number)
            make_message(
                people.patient.user, people.clinic, [row], subject=f"Mail {number:02}", sent_at=at
            )
        browser = sign_in(people.patient.user)
        pages = [browser.get("/messages/", {"page": number}).text for number in (1, 2, 3)]
        shown = [[n for n in range(33) if f"Mail {n:02}" in page] for page in pages]

        assert shown == [list(range(15)), list(range(15, 30)), list(range(30, 33))]
        assert ['href="?page=2"' in page for page in pages] == [True, False, True]
        assert ['href="?page=3"' in page for page in pages] == [False, True, False]
        assert "Mail 00" in browser.get("/messages/", {"page": "9999999"}).text


class TestMessages:
    def test_what_was_sent_comes_and_did_not_go(self, planned, sent, sign_in):
        make_reminder(
            planned.episode, step_of(planned, "driving"), state="skipped", reason="switched_off",
        )  # fmt: skip
        text = sign_in(planned.patient.user).get("/messages/").text
        assert "Call your insurer" in text
        assert "Not sent, and why" in text
        assert "Mails of this kind are switched off in the settings." in text

    def test_what_only_the_plan_changed_is_not_listed(self, people, sign_in):
        make_reminder(
            people.episode,
            step_of(people, "driving"),
            state="cancelled",
            reason="dropped_from_plan",
        )
        assert "Not sent, and why" not in sign_in(people.patient.user).get("/messages/").text

    def test_one_mail_as_it_was_sent(self, people, row, sent, sign_in):
        browser = sign_in(people.patient.user)
        page = browser.get(reverse("reminders:message", args=[sent.pk])).text
        assert "Plain words" in page
        assert "Bold words" not in page
        assert reverse("reminders:message_html", args=[sent.pk]) in page
        assert reverse("reminders:why", args=[row.pk]) in page

    def test_its_html_has_a_policy_of_its_own(self, people, sent, sign_in):
        answer = sign_in(people.patient.user).get(reverse("reminders:message_html", args=[sent.pk]))
        assert "Bold words" in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]

    @pytest.mark.parametrize("name", ["message", "message_html"])
    def test_anothers_is_like_a_missing_one(self, people, sent, sign_in, name):
        for who in (
            people.other_patient.user,
            people.carer,
            people.former_carer,
            people.nobody,
            people.clerk,
        ):
            browser = sign_in(who)
            answer = browser.get(reverse(f"reminders:{name}", args=[sent.pk]))
            missing = browser.get(reverse(f"reminders:{name}", args=[uuid4()]))
            assert (answer.status_code, answer.text) == (404, missing.text)

    def test_a_carer_whose_access_ended_reads_no_old_mail(self, people, sign_in):
        old = make_reminder(people.episode, recipient=people.former_carer)
        mail = make_message(people.former_carer, people.clinic, [old])
        browser = sign_in(people.former_carer)
        assert browser.get(reverse("reminders:message", args=[mail.pk])).status_code == 404
        assert mail.subject not in browser.get("/messages/").text

    @pytest.mark.parametrize("rows", [1, 3])
    def test_it_costs_the_same_for_one_and_for_three(
        self, people, sign_in, rows, django_assert_num_queries
    ):
        for key in ("insurer", "driving", "pack-bag")[:rows]:
            step = step_of(people, key)
            make_message(people.patient.user, people.clinic, [make_reminder(people.episode, step)])
            make_reminder(people.episode, step, state="missed", reason="too_old")
            make_reminder(people.episode, step)
        browser = sign_in(people.patient.user)
        browser.get("/messages/")
        with django_assert_num_queries(14):
            browser.get("/messages/")


class TestWhy:
    def path(self, row: Reminder) -> str:
        return reverse("reminders:why", args=[row.pk])

    def test_it_says_which_rule_which_dates_and_what_happened(self, people, sign_in):
        row = make_reminder(people.episode, step_of(people, "stop-smoking"))
        Decision.objects.create(reminder=row, outcome="wait", gate="sending_window", decided_at=NOW)
        text = sign_in(people.patient.user).get(self.path(row)).text
        for words in (
            "It comes: 6 weeks before the day of surgery.",
            "It comes every week.",
            "for people who smoke or use nicotine",
            "because you are the patient",
            "Monday 27 April 2026 (the day of surgery)",
            "Put off: We send no mail at night.",
        ):
            assert words in text

    def test_a_carer_learns_whom_it_is_about(self, people, sign_in):
        row = make_reminder(people.sibling_episode, recipient=people.mother)
        browser = sign_in(people.mother)
        text = browser.get(self.path(row)).text
        assert "because you look after Sasha Kidd" in text
        assert "patient" not in browser.session

    def test_anothers_is_like_a_missing_one(self, people, row, sign_in):
        for who in (
            people.other_patient.user,
            people.carer,
            people.former_carer,
            people.nobody,
            people.clerk,
        ):
            browser = sign_in(who)
            for name in ("why", "answer"):
                missing = browser.get(reverse(f"reminders:{name}", args=[uuid4()]))
                answer = browser.get(reverse(f"reminders:{name}", args=[row.pk]))
                assert (answer.status_code, answer.text) == (404, missing.text)


class TestAnswer:
    def post(self, browser: Client, row: Reminder, answer: str, **headers: str):
        path = reverse("reminders:answer", args=[row.pk])
        return browser.post(path, {"answer": answer}, headers=headers)

    def answers(self) -> list[str]:
        return list(StepResponse.objects.values_list("answer", flat=True))

    def test_done_once_and_undone(self, people, row, sign_in):
        browser = sign_in(people.patient.user)
        for _ in range(2):
            assert self.post(browser, row, "done").headers["Location"] == "/today/"
        assert self.answers() == ["done"]
        assert "Undo" in browser.get("/today/").text
        self.post(browser, row, "undo")
        assert self.answers() == []

    def test_a_question_is_kept(self, people, row, sign_in):
        browser = sign_in(people.patient.user)
        self.post(browser, row, "question")
        assert self.answers() == ["question"]
        assert "The clinic knows that you have a question" in browser.get("/today/").text

    def words(self, browser: Client, row: Reminder, note: str):
        path = reverse("reminders:answer", args=[row.pk])
        return browser.post(path, {"answer": "words", "note": note}, follow=True)

    def test_a_question_is_said_in_words_once_and_can_be_said_better(self, people, row, sign_in):
        browser = sign_in(people.patient.user)
        self.post(browser, row, "question")
        assert f"/why/{row.pk}/#question" in browser.get("/today/").text
        for note in ("May I swim?", "May I swim?", "May I swim in the <sea>?"):
            assert "Your question is with the clinic." in self.words(browser, row, note).text
        question = StepResponse.objects.get()
        assert question.note == "May I swim in the <sea>?"
        assert "in the &lt;sea&gt;?</textarea>" in browser.get(f"/why/{row.pk}/").text
        verbs = AuditEvent.objects.filter(verb__startswith="step.question")
        assert list(verbs.order_by("id").values_list("verb", flat=True)) == [
            "step.question", "step.question.words", "step.question.words",
        ]  # fmt: skip
        task = Task.objects.get(kind="question")
        assert task.facts["note"] == "May I swim in the <sea>?"

    @pytest.mark.parametrize("note", ["", "   ", "x" * 501])
    def test_a_question_without_words_says_what_to_do(self, people, row, sign_in, note):
        browser = sign_in(people.patient.user)
        self.post(browser, row, "question")
        assert "Write your question, in at most 500 letters." in self.words(browser, row, note).text
        assert StepResponse.objects.get().note == ""

    def test_what_the_clinic_answered_stays_and_is_not_asked_over(self, people, row, sign_in):
        browser = sign_in(people.patient.user)
        self.words(browser, row, "May I swim?")
        reply_to_question(
            response=StepResponse.objects.get(), reply="Not yet.", by=people.nurse, now=NOW
        )
        assert "answered already" in self.words(browser, row, "And now?").text
        self.post(browser, row, "undo")
        page = browser.get(f"/why/{row.pk}/").text
        assert "Not yet." in page
        assert "May I swim?" in page
        assert "And now?" not in page

    def test_somebody_elses_words_are_theirs(self, people, sign_in):
        row = make_reminder(people.child_episode, recipient=people.mother)
        answer_step(
            episode=row.episode, step=row.step, occurrence=row.occurrence, answer="question", by=people.father,
            now=NOW, note="Call me at 07700 900777",
        )  # fmt: skip
        browser = sign_in(people.mother)
        assert "07700" not in browser.get(f"/why/{row.pk}/").text
        assert "somebody else asked it" in self.words(browser, row, "Mine").text
        assert StepResponse.objects.get().note == "Call me at 07700 900777"

    def test_with_htmx_the_card_comes_back(self, people, row, sign_in):
        answer = self.post(sign_in(people.patient.user), row, "done", HX_Request="true")
        assert answer.status_code == 200
        assert f'id="step-{row.pk}"' in answer.text
        assert "<html" not in answer.text

    @pytest.mark.parametrize("answer", ["", "nonsense"])
    def test_what_is_no_answer_changes_nothing(self, people, row, sign_in, answer):
        self.post(sign_in(people.patient.user), row, answer)
        assert self.answers() == []

    def test_a_get_changes_nothing(self, people, row, sign_in):
        path = reverse("reminders:answer", args=[row.pk])
        answer = sign_in(people.patient.user).get(path, {"answer": "done"})
        assert answer.headers["Location"] == reverse("reminders:why", args=[row.pk])
        assert self.answers() == []

    def test_nobody_answers_for_another(self, people, row, sign_in):
        for who in (people.other_patient.user, people.former_carer, people.nobody, people.clerk):
            assert self.post(sign_in(who), row, "done").status_code == 404
        assert self.answers() == []


class TestSettings:
    PATH = "/settings/reminders/"

    def save(self, browser: Client, **fields: object):
        values = {"wanted": ["xray"], "language": "en-gb", "time_zone": ""} | fields
        return browser.post(self.PATH, values)

    def test_categories_are_switched_off_and_on(self, people, sign_in):
        browser = sign_in(people.patient.user)
        assert self.save(browser).headers["Location"] == self.PATH
        off = set(Preference.objects.filter(is_on=False).values_list("category", flat=True))
        assert off == {
            "smoking_cessation", "physiotherapy", "preparation", "appointment", "recovery", "check_in",
        }  # fmt: skip
        self.save(browser, wanted=["xray", "recovery"])
        assert Preference.objects.get(category="recovery").is_on is True

    def test_saving_the_same_again_writes_nothing(self, people, sign_in):
        browser = sign_in(people.patient.user)
        self.save(browser)
        changes = AuditEvent.objects.exclude(action="R").count()
        self.save(browser)
        assert AuditEvent.objects.exclude(action="R").count() == changes

    def test_another_zone_asks_for_new_plans(self, planned, sign_in):
        assert PlanRequest.objects.count() == 0
        self.save(sign_in(planned.mother), time_zone="Asia/Tokyo", language="es")
        planned.mother.refresh_from_db()
        assert (planned.mother.time_zone, planned.mother.language) == ("Asia/Tokyo", "es")
        asked = set(PlanRequest.objects.values_list("episode_id", flat=True))
        assert asked == {planned.child_episode.pk, planned.sibling_episode.pk}

    def test_what_no_moment_depends_on_asks_for_no_new_plan(self, planned, sign_in):
        """The words are made, and the wishes asked about, when a mail goes."""
        browser = sign_in(planned.mother)
        self.save(browser, language="es")
        self.save(browser, language="es", wanted=["recovery"])
        planned.mother.refresh_from_db()
        assert planned.mother.language == "es"
        assert Preference.objects.filter(user=planned.mother, is_on=False).count() == 6
        assert PlanRequest.objects.count() == 0

    @pytest.mark.parametrize(
        "fields", [{"time_zone": "Mars/Base"}, {"language": "xx"}, {"wanted": ["nonsense"]}]
    )
    def test_nonsense_is_refused_in_words(self, people, sign_in, fields):
        answer = self.save(sign_in(people.patient.user), **fields)
        assert answer.status_code == 200
        assert "Error: " in answer.text
        assert Preference.objects.count() == 0


class TestUnsubscribe:
    @pytest.fixture
    def path(self, people) -> str:
        return urlsplit(unsubscribe.link(people.patient.user.pk, "preparation")).path

    def is_off(self) -> bool:
        return Preference.objects.filter(category="preparation", is_on=False).exists()

    def test_opening_it_changes_nothing(self, client, path):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "Getting ready" in answer.text
        assert not self.is_off()

    def test_a_mail_program_stops_it_with_one_post(self, path):
        program = Client(enforce_csrf_checks=True)
        answer = program.post(path, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert self.is_off()

    def test_it_can_be_undone(self, client, path):
        client.post(path, {"choice": "stop"})
        assert "These mails have stopped" in client.get(path).text
        answer = client.post(path, {"choice": "start"})
        assert "These mails come again" in answer.text
        assert not self.is_off()

    def test_it_is_for_one_person_and_one_category(self, client, people, path):
        client.post(path)
        row = Preference.objects.get()
        assert (row.user, row.category) == (people.patient.user, "preparation")
        event = AuditEvent.objects.first()
        assert (event.verb, event.actor, event.reason) == (
            "preference.choose",
            None,
            "link in a mail",
        )

    @pytest.mark.parametrize("change", [lambda t: "nonsense", lambda t: t[:-1], lambda t: "x" + t])
    def test_a_forged_link(self, client, path, change):
        token = path.removeprefix("/unsubscribe/").removesuffix("/")
        for method in (client.get, client.post):
            answer = method(f"/unsubscribe/{change(token)}/")
            assert answer.status_code == 404
            assert "This link is not complete" in answer.text
        assert Preference.objects.count() == 0

    def test_an_account_that_is_gone(self, client, db):
        path = urlsplit(unsubscribe.link(uuid4(), "xray")).path
        assert client.get(path).status_code == 404


def test_the_scope_is_asked_first(people, sign_in, monkeypatch):
    """Were the scope forgotten, another's pages would show: shown by taking the scope away."""
    monkeypatch.setattr(EpisodeQuerySet, "own", lambda self, user: self)
    assert sign_in(people.patient.user).get("/plan/").status_code == 200
