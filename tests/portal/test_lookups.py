"""Rows by many keys at once: the same rows as Django's own lookup gives."""

from uuid import uuid4

import pytest
from django.db import connection

from patients.models import Episode
from portal.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def users(people):
    """Some accounts, and not all there are."""
    return [make_user(f"reader{number}@example.com") for number in range(3)]


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, dict.fromkeys])
def test_the_rows_are_those_of_in(users, kind):
    keys = kind([user.pk for user in users] + [uuid4()])

    assert set(User.objects.filter(id__among=keys)) == set(users)


def test_a_foreign_key_is_asked_by_its_key(people):
    keys = {people.patient.pk, uuid4()}

    assert list(Episode.objects.filter(patient__among=keys)) == [people.episode]
    assert Episode.objects.exclude(patient__among=keys).filter(pk=people.episode.pk).count() == 0


@pytest.mark.parametrize("address", ['o"neill@x.example', "a,b@x.example", "{c}@x.example", "NULL"])
def test_text_is_text_whatever_signs_it_holds(people, address):
    user = make_user("plain@example.com")
    User.objects.filter(pk=user.pk).update(email=address)

    found = User.objects.filter(email__among=[address, "nobody@x.example"])
    assert list(found) == [user]


def test_no_keys_are_no_rows_and_no_query(users, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert list(User.objects.filter(id__among=[])) == []


@pytest.mark.server
def test_many_keys_are_one_parameter_on_postgresql(users):
    """Elsewhere it is Django's own lookup."""
    found = User.objects.filter(id__among=[user.pk for user in users])

    sql, parameters = found.query.get_compiler(connection=connection).as_sql()
    assert "= ANY(%s::uuid[])" in sql
    assert len(parameters) == 1
