"""A clinic's opening hours by the clock: known or not, in the clinic's own zone, and whole or not at all."""

from datetime import UTC, datetime, time

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from tests.factories import make_clinic

pytestmark = pytest.mark.django_db
HOURS = {"open_days": "12345", "opens_at": time(8), "closes_at": time(18)}
HALF = [
    {"open_days": "12345"},
    {"opens_at": time(8), "closes_at": time(18)},
    {"open_days": "12345", "opens_at": time(8)},
    {"open_days": "12345", "closes_at": time(8)},
    {"open_days": "12345", "opens_at": time(18), "closes_at": time(8)},
]


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-02T07:59", False), ("2026-03-02T08:00", True), ("2026-03-02T17:59", True),
        ("2026-03-02T18:00", False),
        # A Saturday; and a Monday in summer time, when 7:30 UTC is 8:30 in London.
        ("2026-03-07T12:00", False), ("2026-06-01T07:30", True), ("2026-06-01T17:30", False),
    ],
)  # fmt: skip
def test_it_is_open_by_its_own_clock(moment, is_open):
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert make_clinic(**HOURS).is_open_at(at) is is_open


def test_in_another_zone_it_is_another_day():
    clinic = make_clinic(time_zone="Pacific/Auckland", **HOURS)
    assert clinic.is_open_at(datetime(2026, 3, 1, 21, 0, tzinfo=UTC)) is True


def test_without_hours_nobody_knows():
    assert make_clinic().is_open_at(datetime(2026, 3, 2, 12, 0, tzinfo=UTC)) is None


@pytest.mark.parametrize("half", HALF)
def test_half_of_the_hours_is_refused_in_words(half):
    clinic = make_clinic()
    for name, value in half.items():
        setattr(clinic, name, value)
    with pytest.raises(ValidationError, match="none of the three"):
        clinic.full_clean()


@pytest.mark.parametrize("half", HALF)
def test_half_of_the_hours_is_refused_by_the_database(half):
    with pytest.raises(IntegrityError, match="clinic_opening_hours_are_whole"):
        make_clinic(**half)
