"""Subqueries put into SQL once: they find what the same query finds when it is put together anew."""

from datetime import timedelta

import pytest
from django.db import models

from patients.models import Appointment, Patient
from patients.querysets import lived_with, patients_lived_with
from portal.prepared import Blank, Prepared
from tests.factories import make_appointment

pytestmark = pytest.mark.django_db
NAME = Blank("name", models.CharField())


def named():
    return Patient.objects.filter(given_name=NAME).order_by().values("id")


def of_name(name):
    rows = Appointment.objects.filter(
        episode__patient__in=Prepared(named, models.UUIDField(), name=name)
    )
    return {row.episode.patient.given_name for row in rows}


@pytest.fixture
def visits(people):
    for episode in people.episodes:
        make_appointment(episode)


def test_each_time_it_has_the_values_of_that_time(visits):
    assert of_name("Otto") == {"Otto"}
    assert of_name("Kim") == {"Kim"}
    assert of_name("' OR 1=1 --") == set()


def test_it_is_put_together_once(visits):
    calls = []

    def rows():
        calls.append(1)
        return named()

    for name in ("Otto", "Kim", "Fern"):
        found = Patient.objects.filter(id__in=Prepared(rows, models.UUIDField(), name=name))
        assert [row.given_name for row in found] == [name]
    assert calls == [1]


def test_it_can_be_turned_round_combined_and_counted(visits):
    kim = Prepared(named, models.UUIDField(), name="Kim")
    otto = Prepared(named, models.UUIDField(), name="Otto")

    assert Patient.objects.exclude(id__in=kim).count() == Patient.objects.count() - 1
    assert Patient.objects.filter(models.Q(id__in=kim) | models.Q(id__in=otto)).count() == 2
    inner = Patient.objects.filter(id__in=kim).values("id")
    assert Appointment.objects.filter(episode__patient__in=inner).count() == 1


def test_a_value_that_is_missing_is_an_error(visits):
    with pytest.raises(KeyError):
        Patient.objects.filter(id__in=Prepared(named, models.UUIDField())).count()


@pytest.mark.parametrize("who", ["patient", "carer", "former_carer", "mother", "father", "nobody"])
@pytest.mark.parametrize("days", [0, 10, 400])
def test_the_gate_opens_for_the_same_people_at_every_moment(people, stopped_clock, who, days):
    people.child.related_people.update(ends_on=people.now.date() + timedelta(days=5))
    user = people.patient.user if who == "patient" else getattr(people, who)
    stopped_clock.shift(timedelta(days=days))

    by_gate = Patient.objects.filter(id__in=patients_lived_with(user))
    one_by_one = [
        row
        for row in Patient.objects.all()
        if row.user_id == user.pk
        or any(
            link.user_id == user.pk and link.is_live((people.now + timedelta(days=days)).date())
            for link in row.related_people.all()
        )
    ]

    assert set(by_gate) == set(one_by_one)


def test_the_gate_names_no_reader_by_itself():
    assert "%s" in str(lived_with().query.get_compiler("default").as_sql()[0])
