"""Instances made of values: what Django makes of the same columns, and nothing asked for what was brought."""

import pytest

from patients.models import Episode
from portal.instances import Mould
from portal.models import User

pytestmark = pytest.mark.django_db


def test_an_instance_is_the_stored_row(people, django_assert_num_queries):
    mould = Mould(User, ("id", "name", "email"))
    values = User.objects.values_list(*mould.names).get(pk=people.nurse.pk)

    row = mould.cast(values)

    assert row == people.nurse
    assert not row._state.adding
    with django_assert_num_queries(0):
        assert (row.name, row.email) == (people.nurse.name, people.nurse.email)


def test_what_was_not_brought_is_fetched_when_it_is_asked_for(people, django_assert_num_queries):
    row = Mould(User, ("id",)).cast([people.nurse.pk])

    assert row.get_deferred_fields() >= {"name", "email"}
    with django_assert_num_queries(1):
        assert row.name == people.nurse.name


def test_what_it_points_to_is_at_hand(people, django_assert_num_queries):
    mould = Mould(Episode, ("id", "patient_id", "surgeon_id"))
    values = [people.episode.pk, people.patient.pk, None]

    with django_assert_num_queries(0):
        row = mould.cast(values, patient=people.patient, surgeon=None)
        assert row.patient is people.patient
        assert row.surgeon is None


def test_two_instances_share_nothing(people):
    mould = Mould(Episode, ("id", "patient_id"))
    one, other = (mould.cast([people.episode.pk, people.patient.pk]) for _ in range(2))
    one.status, one.patient = "finished", people.patient

    assert "status" not in other.__dict__
    assert not Episode.patient.is_cached(other)


def test_too_few_values_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        Mould(User, ("id", "name")).cast([1])


def test_a_change_is_saved(people):
    row = Mould(User, ("id", "name")).cast([people.nurse.pk, "Nobody"])
    row.name = "Nora Neumann"
    row.save(update_fields=["name"])

    people.nurse.refresh_from_db()
    assert people.nurse.name == "Nora Neumann"
