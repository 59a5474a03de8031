"""What asks for new plans without being a change of a record: accounts that close, birthdays, an upgrade."""

from datetime import date, timedelta
from importlib import import_module

import pytest
from django.apps import apps

from patients.actions import close_episode, request_plans_of_the_grown_up
from patients.models import AnchorDate, Patient, PlanRequest
from portal.actions import set_active

pytestmark = pytest.mark.django_db


@pytest.fixture
def p(people):
    """Everyone, with nothing left to plan."""
    PlanRequest.objects.all().delete()
    return people


def asked_for():
    return sorted(PlanRequest.objects.values_list("episode", flat=True))


def keys(*episodes):
    return sorted(episode.pk for episode in episodes)


@pytest.mark.parametrize("is_active", [False, True])
def test_an_account_that_closes_or_opens_replans_whoever_it_cares_for(p, is_active):
    set_active(user=p.mother, is_active=is_active, clinic=p.clinic, by=p.manager)

    assert asked_for() == keys(p.child_episode, p.sibling_episode)


def test_a_patients_own_account_replans_their_open_episode(p):
    set_active(user=p.patient.user, is_active=False, clinic=p.clinic, by=p.manager)

    assert asked_for() == keys(p.episode)


def test_neither_a_closed_episode_nor_an_ended_link_is_planned_anew(p):
    close_episode(episode=p.child_episode, status="finished", by=p.clerk, now=p.now)
    p.sibling.related_people.update(ended_at=p.now)
    PlanRequest.objects.all().delete()

    set_active(user=p.mother, is_active=False, clinic=p.clinic, by=p.manager)

    assert asked_for() == []


@pytest.mark.parametrize(
    ("born", "is_planned"),
    [
        (date(2008, 3, 2), True),
        (date(2008, 2, 28), True),
        (date(2008, 2, 29), True),
        (date(2008, 3, 3), False),
        (date(2008, 2, 26), False),
    ],
)
def test_who_has_just_come_of_age_without_a_day_of_surgery_is_planned_anew(p, born, is_planned):
    now = p.now.replace(year=2026, month=3, day=2)
    Patient.objects.filter(pk=p.sibling.pk).update(birth_date=born)
    AnchorDate.objects.filter(episode=p.sibling_episode, anchor="surgery").delete()

    assert request_plans_of_the_grown_up(now) == is_planned
    assert asked_for() == (keys(p.sibling_episode) if is_planned else [])


def test_with_a_day_of_surgery_the_age_on_that_day_counts_and_no_birthday(p):
    Patient.objects.filter(pk=p.sibling.pk).update(
        birth_date=p.now.date().replace(year=p.now.year - 18) - timedelta(days=1)
    )

    assert request_plans_of_the_grown_up(p.now) == 0


def test_an_upgrade_plans_anew_for_carers_who_may_not_see_everything(p):
    link = p.child.related_people.get(user=p.father)
    p.child.related_people.filter(pk=link.pk).update(scope="appointments")
    p.sibling.related_people.update(scope="appointments", ended_at=p.now)

    import_module("reminders.migrations.0015_check_ins_for_who_sees_everything").plan_anew(
        apps, None
    )

    assert asked_for() == keys(p.child_episode)
