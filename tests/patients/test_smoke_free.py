"""Smoke-free: days, money and milestones; slips told honestly; the team told near surgery; who may see it."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from patients.actions import log_slip, open_episode, save_smoke_free_plan, withdraw_slip
from patients.models import Alert, AnchorDate, Episode, PlanRequest, RelatedPerson, Slip
from patients.smoke_free import smoke_free_of
from portal.models import AuditEvent, Role
from portal.once import new_ticket
from procedures.loading import load_catalogue
from tests.factories import NOW
from tests.patients.smoking import slip, slipped, stopped

pytestmark = pytest.mark.django_db
PAGE = reverse("patients:smoke_free")
PLAN = reverse("patients:smoke_free_plan")
PAYLOAD = "<script>alert('x')</script>\"'{{7*7}}"
TODAY = NOW.date()
MAY = {"manager", "surgeon", "nurse", "physiotherapist"}


@pytest.fixture
def patient(people, sign_in):
    return sign_in(people.patient.user)


def text(response):
    return " ".join(response.content.decode().split())


def ago(days):
    return TODAY - timedelta(days=days)


def told(**changed):
    return {"what": "smoked", "on": TODAY.isoformat(), "ticket": new_ticket(), **changed}


def day_of(day):
    """The smoke-free day as its three boxes are sent."""
    return {"quit_on_day": day.day, "quit_on_month": day.month, "quit_on_year": day.year}


def near(people, days):
    """Put surgery so many days from today."""
    AnchorDate.objects.filter(episode=people.episode, anchor="surgery").update(
        on=TODAY + timedelta(days=days)
    )


def test_the_day_is_asked_for_in_boxes_that_nobody_can_mix_up(patient, people):
    stopped(people, 5)
    page = patient.get(PLAN).text
    assert re.findall(r'name="(quit_on_?[a-z]*)"', page) == [
        "quit_on_day",
        "quit_on_month",
        "quit_on_year",
    ]
    answer = patient.post(PLAN, {"quit_on": "03/04/2026", "why": "KEPT"})
    assert "Fill in the day, the month and the year." in answer.text
    assert "KEPT" in answer.text


class TestCount:
    def test_days_run_from_the_quit_day(self, people):
        known = smoke_free_of(stopped(people, 10), TODAY)
        assert (known.days, known.total, known.best, known.saved) == (10, 10, 10, "")

    def test_a_slip_starts_the_count_again_and_takes_one_day(self, people):
        episode = stopped(people, 10, spent_a_day=Decimal("2.50"), currency="EUR")
        slip(episode, ago(4))
        slip(episode, ago(4))
        known = smoke_free_of(episode, TODAY)
        assert (known.days, known.total, known.best, known.saved) == (4, 9, 6, "€22.50")

    def test_a_milestone_that_was_reached_stays_reached(self, people):
        episode = stopped(people, 10)
        slip(episode, ago(2))
        shown = [
            (str(m.label), m.is_reached, m.on) for m in smoke_free_of(episode, TODAY).milestones
        ]
        assert shown == [
            ("1 day", True, None), ("3 days", True, None), ("1 week", True, None),
            ("2 weeks", False, ago(2) + timedelta(days=14)),
        ]  # fmt: skip

    def test_before_the_quit_day_nothing_counts(self, people):
        known = smoke_free_of(stopped(people, -5), TODAY)
        assert (known.is_ahead, known.days_to_quit, known.days, known.milestones) == (
            True,
            5,
            0,
            [],
        )

    def test_what_was_taken_back_does_not_count(self, people):
        episode = stopped(people, 10)
        withdraw_slip(slip=slip(episode, ago(4)), by=people.patient.user, now=NOW)
        assert smoke_free_of(episode, TODAY).days == 10


class TestPlan:
    def test_it_is_saved_audited_and_the_plan_follows_the_day(self, people):
        PlanRequest.objects.all().delete()
        episode = stopped(people, 3, why="My hip")
        assert episode.anchors["quit"] == ago(3)
        assert list(PlanRequest.objects.values_list("reason", flat=True)) == ["anchor.quit"]
        assert AuditEvent.objects.filter(verb="smoke_free.plan").count() == 1

    def test_saving_it_again_changes_nothing(self, people):
        stopped(people, 3, why="My hip")
        before = AuditEvent.objects.count()
        people.episode.refresh_from_db()
        stopped(people, 3, why="My hip")
        assert AuditEvent.objects.count() == before

    def test_a_quit_day_after_a_slip_is_refused(self, people):
        episode = stopped(people, 10)
        slip(episode, ago(4))
        with pytest.raises(ValidationError, match="slip before this day"):
            save_smoke_free_plan(episode=episode, quit_on=ago(2), by=people.patient.user, now=NOW)

    def test_the_form_saves_and_keeps_what_was_typed(self, patient, people):
        data = {
            **day_of(date(1026, 3, 1)),
            "why": PAYLOAD,
            "currency": "GBP",
            "spent_a_day": "9.50",
        }
        page = text(patient.post(PLAN, data))
        assert "Please check the year." in page
        assert "&lt;script&gt;" in page
        answer = patient.post(PLAN, data | day_of(ago(1)), follow=True)
        assert answer.redirect_chain == [(PAGE, 302)]
        page = text(answer)
        for words in ("1", "day smoke-free", "£9.50", "&lt;script&gt;"):
            assert words in page
        assert "<script>alert" not in page


class TestSlip:
    def test_it_is_kept_once_and_audited(self, patient, people):
        episode = stopped(people)
        data = told(note="At a party")
        for _press in range(2):
            page = text(
                patient.post(reverse("patients:slip_log", args=[episode.pk]), data, follow=True)
            )
        assert "You start again from now." in page
        assert Slip.objects.values_list("note", "on", "by").get() == (
            "At a party", TODAY, people.patient.user.pk,
        )  # fmt: skip
        assert AuditEvent.objects.filter(verb="slip.tell").count() == 1

    @pytest.mark.parametrize(
        ("days", "words"),
        [
            (-42, "Smoked 42 days after surgery"), (-1, "Smoked 1 day after surgery"),
            (0, "Smoked on the day of surgery"), (42, "Smoked 42 days before surgery"),
        ],
    )  # fmt: skip
    def test_within_six_weeks_of_surgery_the_team_is_told(self, people, days, words):
        near(people, days)
        found = slip(stopped(people), TODAY)
        alert = Alert.objects.get()
        assert (alert.summary, alert.severity, alert.slip, alert.check_in) == (
            words, "call", found, None,
        )  # fmt: skip

    @pytest.mark.parametrize("status", ["active", "finished"])
    def test_the_surgery_of_another_operation_counts_too(self, people, patient, status):
        near(people, 200)
        other = open_episode(
            patient=people.patient, version=people.adult_version, side="right", surgery_on=TODAY + timedelta(days=14),
            surgeon=people.surgeon, by=people.clerk, now=NOW,
        )  # fmt: skip
        Episode.objects.filter(pk=other.pk).update(status=status)
        episode = stopped(people)
        assert "your team is told too" in text(patient.get(PAGE))
        slip(episode, TODAY)
        alert = Alert.objects.get()
        assert (alert.episode, alert.summary) == (other, "Smoked 14 days before surgery")

    def test_a_cancelled_operation_does_not(self, people):
        near(people, 20)
        Episode.objects.filter(pk=people.episode.pk).update(status="cancelled")
        other = open_episode(
            patient=people.patient, version=people.adult_version, side="right", surgery_on=TODAY + timedelta(days=200),
            surgeon=people.surgeon, by=people.clerk, now=NOW,
        )  # fmt: skip
        save_smoke_free_plan(episode=other, quit_on=ago(5), by=people.patient.user, now=NOW)
        slip(Episode.objects.get(pk=other.pk), TODAY)
        assert not Alert.objects.exists()

    def test_a_second_operation_does_not_start_the_count_anew(self, people, patient):
        episode = stopped(people, 10)
        open_episode(
            patient=people.patient, version=people.adult_version, side="right", surgery_on=TODAY + timedelta(days=90),
            surgeon=people.surgeon, by=people.clerk, now=NOW + timedelta(minutes=1),
        )  # fmt: skip
        known = patient.get(PAGE).context["known"]
        assert (known.episode, known.days) == (episode, 10)

    @pytest.mark.parametrize("days", [-43, 43])
    def test_further_away_it_is_not(self, people, days):
        near(people, days)
        slip(stopped(people), TODAY)
        assert not Alert.objects.exists()

    def test_the_patient_hears_that_the_team_knows(self, patient, people):
        near(people, 20)
        episode = stopped(people)
        url = reverse("patients:slip_log", args=[episode.pk])
        assert "we have told your team" in text(patient.post(url, told(), follow=True))

    def test_a_second_slip_asks_for_another_look(self, people):
        near(people, 20)
        episode = stopped(people)
        slip(episode, ago(1))
        second = slip(episode, TODAY)
        assert Alert.objects.values_list("times", "slip").get() == (2, second.pk)

    @pytest.mark.parametrize(
        ("on", "said"), [(8, "last week"), (-1, "last week"), (11, "before the day")]
    )
    def test_a_day_that_cannot_be_is_refused(self, people, on, said):
        episode = stopped(people)
        with pytest.raises(ValidationError, match=said):
            log_slip(
                episode=episode, on=ago(on), what="smoked", by=people.patient.user, now=NOW,
                ticket="1",
            )  # fmt: skip
        assert not Slip.objects.exists()

    def test_a_forged_day_is_an_error_at_the_field(self, patient, people):
        episode = stopped(people)
        url = reverse("patients:slip_log", args=[episode.pk])
        page = patient.post(url, told(on="2020-01-01", note="typed"))
        assert "Error: " in page.content.decode()
        assert ">typed</textarea>" in text(page).replace("> ", ">")

    def test_a_closed_plan_takes_none(self, patient, people):
        episode = stopped(people)
        Episode.objects.filter(pk=episode.pk).update(status="cancelled")
        url = reverse("patients:slip_log", args=[episode.pk])
        assert "This plan is closed." in text(patient.post(url, told(), follow=True))
        page = text(patient.get(PAGE))
        assert "I had a slip" not in page
        assert "Change my day" not in page

    def test_told_by_mistake_it_is_taken_back_and_the_alert_stays(self, patient, people):
        near(people, 20)
        found = slip(stopped(people), TODAY)
        patient.post(reverse("patients:slip_withdraw", args=[found.pk]))
        patient.post(reverse("patients:slip_withdraw", args=[found.pk]))
        assert not Slip.objects.standing().exists()
        assert Alert.objects.open().count() == 1
        assert AuditEvent.objects.filter(verb="slip.withdraw").count() == 1


class TestWhoSeesIt:
    def test_who_does_not_smoke_is_not_led_there(self, people, sign_in):
        browser = sign_in(people.other_patient.user)
        assert PAGE not in text(browser.get(reverse("reminders:today")))
        assert "Nothing to do here" in text(browser.get(PAGE))
        assert browser.get(PLAN).url == PAGE

    @pytest.mark.parametrize("who", ["other_patient", "far_patient"])
    def test_another_patient_finds_nothing(self, people, sign_in, who):
        found = slipped(people)
        browser = sign_in(getattr(people, who).user)
        for url in (
            reverse("patients:slip_log", args=[people.episode.pk]),
            reverse("patients:slip_withdraw", args=[found.pk]),
        ):
            assert browser.post(url, told()).status_code == 404
        assert Slip.objects.standing().count() == 1

    def test_a_carer_for_visits_alone_is_refused(self, people, sign_in):
        found = slipped(people)
        RelatedPerson.objects.filter(user=people.carer).update(scope="appointments")
        browser = sign_in(people.carer)
        for url in (PAGE, PLAN, reverse("patients:slip_withdraw", args=[found.pk])):
            assert browser.get(url).status_code == 404
        assert PAGE not in text(browser.get(reverse("patients:appointments")))

    @pytest.mark.parametrize("role", Role.values)
    def test_staff_see_the_days_on_the_patients_page(self, people, sign_in, role):
        slip(stopped(people, 10), ago(4), note="At a party")
        page = text(
            sign_in(people.staff[role]).get(reverse("admin:patient_page", args=[people.patient.pk]))
        )
        assert ("At a party" in page, '<h2 id="smoke-free">' in page) == (role in MAY, role in MAY)

    def test_staff_read_the_slip_on_the_alerts_page(self, people, sign_in):
        near(people, 20)
        slip(stopped(people), TODAY, note="At a party")
        url = reverse("admin:alert_page", args=[Alert.objects.get().pk])
        page = text(sign_in(people.nurse).get(url))
        for words in ("Smoked 20 days before surgery", "At a party", "Patricia"):
            assert words in page


def test_what_it_does_for_healing_comes_from_the_sources(patient, people):
    load_catalogue()
    stopped(people)
    page = text(patient.get(PAGE))
    assert "Nicotine cuts blood flow, slows healing" in page


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_costs_the_same_queries(people, patient, django_assert_num_queries, count):
    load_catalogue()
    episode = stopped(people, 10)
    for number in range(count):
        slip(episode, ago(number))
    patient.get(PAGE)
    with django_assert_num_queries(13):
        patient.get(PAGE)
