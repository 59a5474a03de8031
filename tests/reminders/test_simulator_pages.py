"""The simulator as pages: an invented patient, or a real one, beside another date or version; nothing is written."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from portal.models import PractitionerRole
from reminders.models import Reminder
from tests.factories import make_version
from tests.people import ADULT_STEPS

# With the four of two savepoints, which a page outside of a test has not.
SAMPLE_QUERIES = 31


def url(episode: Any) -> str:
    return reverse("admin:episode_simulate", args=[episode.pk])


def test_an_invented_patient_gets_the_mails_of_the_version(people, sign_in) -> None:
    client = sign_in(people.manager)
    asked = {
        "version": str(people.adult_version.pk),
        "surgery_on": str(people.surgery_on),
        "uses_nicotine": "on",
    }
    answer = client.get(reverse("admin:simulator"), asked)
    steps = {row.key.step for row in answer.context["left"]}
    assert {"pack-bag", "stop-smoking", "exercises"} <= steps
    assert "Pack bag" in answer.content.decode()
    del asked["uses_nicotine"]
    answer = client.get(reverse("admin:simulator"), asked)
    assert "stop-smoking" not in {row.key.step for row in answer.context["left"]}


def test_two_dates_stand_side_by_side_for_an_invented_patient(people, sign_in) -> None:
    later = people.surgery_on + timedelta(days=7)
    asked = {
        "version": str(people.adult_version.pk), "surgery_on": str(people.surgery_on),
        "other_surgery_on": str(later),
    }  # fmt: skip
    answer = sign_in(people.manager).get(reverse("admin:simulator"), asked)
    pairs = {pair.key.step: pair for pair in answer.context["pairs"]}
    assert pairs["pack-bag"].right.at - pairs["pack-bag"].left.at == timedelta(days=7)
    assert pairs["pack-bag"].differs
    assert not pairs["insurer"].differs


def test_two_versions_stand_side_by_side_for_an_invented_patient(people, sign_in) -> None:
    steps = {key: value for key, value in ADULT_STEPS.items() if key != "pack-bag"}
    draft = make_version(
        people.clinic, steps, pathway=people.adult_version.pathway, number=2, is_approved=False
    )
    asked = {
        "version": str(people.adult_version.pk), "surgery_on": str(people.surgery_on),
        "other_version": str(draft.pk),
    }  # fmt: skip
    answer = sign_in(people.manager).get(reverse("admin:simulator"), asked)
    pairs = {pair.key.step: pair for pair in answer.context["pairs"]}
    assert (pairs["pack-bag"].left is None, pairs["pack-bag"].right) == (False, None)
    assert pairs["exercises"].right.at == pairs["exercises"].left.at
    assert "version 2, draft" in answer.content.decode()


def test_versions_of_two_clinics_are_not_compared(people, sign_in) -> None:
    PractitionerRole.objects.create(user=people.manager, clinic=people.other_clinic, role="manager")
    asked = {
        "version": str(people.adult_version.pk), "surgery_on": str(people.surgery_on),
        "other_version": str(people.far_version.pk),
    }  # fmt: skip
    answer = sign_in(people.manager).get(reverse("admin:simulator"), asked)
    assert "This version belongs to another clinic." in answer.content.decode()
    assert answer.context["left"] is None


def test_a_version_of_another_clinic_is_no_choice(people, sign_in) -> None:
    asked = {"version": str(people.far_version.pk), "surgery_on": str(people.surgery_on)}
    answer = sign_in(people.manager).get(reverse("admin:simulator"), asked)
    assert "Please choose one of those that are shown." in answer.content.decode()
    assert answer.context["left"] is None


def test_a_real_patient_is_shown_as_planned_and_otherwise(planned, sign_in) -> None:
    before = list(Reminder.objects.order_by("pk").values())
    client = sign_in(planned.nurse)
    assert client.get(url(planned.episode)).context["pairs"] is None
    answer = client.get(
        url(planned.episode), {"other_surgery_on": str(planned.surgery_on + timedelta(days=1))}
    )
    pairs = {pair.key.step: pair for pair in answer.context["pairs"]}
    assert pairs["pack-bag"].right.at - pairs["pack-bag"].left.at == timedelta(days=1)
    assert list(Reminder.objects.order_by("pk").values()) == before


def test_another_version_drops_and_adds_its_steps(planned, sign_in) -> None:
    steps = {key: value for key, value in ADULT_STEPS.items() if key != "pack-bag"}
    second = make_version(planned.clinic, steps, pathway=planned.adult_version.pathway, number=2)
    answer = sign_in(planned.manager).get(url(planned.episode), {"other_version": str(second.pk)})
    pairs = {pair.key.step: pair for pair in answer.context["pairs"]}
    assert (pairs["pack-bag"].left is None, pairs["pack-bag"].right) == (False, None)


EVERY_STEP = {"insurer", "pack-bag", "day-before", "xray-window", "anniversary"}


@pytest.mark.parametrize(
    ("asked", "differing"),
    [
        ({"other_discharge_on": "2026-05-01"}, {"exercises", "gym", "wound-check"}),
        ({"other_nicotine": "yes"}, {"stop-smoking"}),
        ({"other_nicotine": "no"}, set()),
        ({"other_zone": "Asia/Tokyo"}, EVERY_STEP),
        ({"other_without": ["xray", "check_in"]}, {"xray-window"}),
        ({"other_nicotine": "yes", "other_zone": "Asia/Tokyo"}, {"stop-smoking", *EVERY_STEP}),
    ],
)
def test_other_circumstances_of_a_real_patient_stand_beside_what_is(
    planned, sign_in, asked, differing
) -> None:
    before = list(Reminder.objects.order_by("pk").values())
    answer = sign_in(planned.nurse).get(url(planned.other_episode), asked)
    pairs = answer.context["pairs"]
    assert {pair.key.step for pair in pairs if pair.differs} == differing
    assert '<details class="sw-week" open>' in answer.text
    assert list(Reminder.objects.order_by("pk").values()) == before


def test_circumstances_of_an_invented_patient_keep_the_dates_of_the_first_side(
    people, sign_in
) -> None:
    asked = {
        "version": str(people.adult_version.pk), "surgery_on": str(people.surgery_on),
        "other_nicotine": "yes", "other_discharge_on": str(people.surgery_on + timedelta(days=9)),
    }  # fmt: skip
    pairs = sign_in(people.manager).get(reverse("admin:simulator"), asked).context["pairs"]
    assert {pair.key.step for pair in pairs if pair.left is None} == {"stop-smoking"}
    [bag] = [pair for pair in pairs if pair.key.step == "pack-bag"]
    assert not bag.differs
    first = next(pair for pair in pairs if pair.key.step == "exercises")
    assert first.right.at - first.left.at == timedelta(days=5)


def test_what_is_folded_away_is_shown_where_it_is_wrong(planned, sign_in) -> None:
    answer = sign_in(planned.nurse).get(url(planned.episode), {"other_quit_on": "2226-01-01"})
    assert "Please check the year." in answer.text
    assert '<details class="sw-week" open>' in answer.text
    assert answer.context["pairs"] is None
    assert (
        "open" not in sign_in(planned.nurse).get(url(planned.episode)).text.split("sw-week")[1][:20]
    )


def test_an_implausible_day_is_refused(planned, sign_in) -> None:
    answer = sign_in(planned.nurse).get(url(planned.episode), {"other_surgery_on": "2226-01-01"})
    assert "Please check the year." in answer.content.decode()


def test_an_episode_of_another_clinic_is_missing(planned, sign_in) -> None:
    assert sign_in(planned.nurse).get(url(planned.far_episode)).status_code == 404


def test_it_costs_the_same_for_a_short_plan_as_for_a_long_one(
    planned, sign_in, django_assert_max_num_queries
) -> None:
    client = sign_in(planned.nurse)
    for episode in (planned.episode, planned.child_episode):
        with django_assert_max_num_queries(SAMPLE_QUERIES):
            client.get(url(episode))
