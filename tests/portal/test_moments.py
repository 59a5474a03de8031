"""Moments come out of the database as they went in, in UTC, whoever reads them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import DataError, connection

pytestmark = pytest.mark.django_db

MOMENTS = [
    datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 0, 0, 5, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 0, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_moment_is_read_as_it_was_written(people, moment):
    user = people.patient.user
    type(user).objects.filter(pk=user.pk).update(last_login=moment)

    user.refresh_from_db()

    assert user.last_login == moment
    assert user.last_login.tzinfo is UTC


@pytest.mark.server
def test_a_session_in_another_zone_tells_the_same_moment():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Asia/Kathmandu'")
        cursor.execute("SELECT '2026-03-29 01:00+00'::timestamptz")
        (moment,) = cursor.fetchone()

    assert moment == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert moment.tzinfo is UTC


@pytest.mark.server
def test_a_moment_that_python_does_not_know_is_refused():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'infinity'::timestamptz")
        with pytest.raises(DataError):
            cursor.fetchone()
