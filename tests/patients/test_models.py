"""Facts of single rows: age, access, dates and moments."""

from datetime import date, time

import pytest
from django.db import IntegrityError, transaction

from patients.models import Appointment, AppointmentKind, CheckIn, Patient, RelatedPerson
from procedures.conditions import ATTRIBUTES
from tests.factories import make_appointment, make_carer, make_episode, make_patient

LEAP = date(2008, 2, 29)


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        (date(2010, 5, 17), date(2028, 5, 16), 17),
        (date(2010, 5, 17), date(2028, 5, 17), 18),
        (LEAP, date(2026, 2, 28), 17),
        (LEAP, date(2026, 3, 1), 18),
        (LEAP, date(2028, 2, 29), 20),
    ],
)
def test_age_is_in_completed_years(born, on, age):
    assert Patient(birth_date=born).age_on(on) == age


@pytest.mark.parametrize(
    ("born", "adult_on"),
    [
        (date(2010, 5, 17), date(2028, 5, 17)),
        (LEAP, date(2026, 3, 1)),
        (date(2010, 3, 1), date(2028, 3, 1)),
    ],
)
def test_coming_of_age_is_the_same_day_by_either_rule(born, adult_on):
    patient = Patient(birth_date=born)

    assert patient.adult_on == adult_on
    assert patient.age_on(adult_on) == 18
    assert not patient.is_child_on(adult_on)


def test_a_patient_has_every_attribute_that_a_condition_may_name():
    attributes = Patient(birth_date=LEAP).attributes(date(2026, 1, 1))

    assert attributes.keys() == ATTRIBUTES.keys()
    assert all(value in ATTRIBUTES[name] for name, value in attributes.items())


@pytest.mark.parametrize(
    ("fields", "live"),
    [
        ({}, True),
        ({"starts_on": date(2026, 3, 2)}, True),
        ({"starts_on": date(2026, 3, 3)}, False),
        ({"ends_on": date(2026, 3, 3)}, True),
        ({"ends_on": date(2026, 3, 2)}, False),
    ],
)
def test_access_holds_from_its_first_day_until_before_its_last(fields, live):
    link = RelatedPerson(**({"starts_on": date(2020, 1, 1)} | fields))

    assert link.is_live(date(2026, 3, 2)) is live


def test_access_that_was_ended_does_not_hold(people):
    assert not people.ended_link.is_live(date(2026, 3, 2))


@pytest.mark.parametrize(
    ("on", "at", "expected"),
    [
        (date(2026, 3, 29), time(1, 30), "2026-03-29T01:30:00+00:00"),
        (date(2026, 10, 25), time(1, 30), "2026-10-25T00:30:00+00:00"),
        (date(2026, 6, 1), time(9), "2026-06-01T08:00:00+00:00"),
    ],
)
def test_a_visits_moment_follows_the_clock_changes(on, at, expected):
    visit = Appointment(local_date=on, local_time=at, time_zone="Europe/London")

    assert visit.derive_starts_at().isoformat() == expected


def test_the_database_bars_what_must_not_be(people):
    episode = make_episode(make_patient(people.clinic), people.adult_version)
    visit = make_appointment(episode)
    request = people.episode.imaging_requests.get()
    forbidden = [
        lambda: make_carer(people.patient, people.carer),
        lambda: make_patient(people.clinic, record_number="H-001"),
        lambda: episode.anchor_dates.create(anchor="surgery", on=LEAP),
        lambda: type(request).objects.create(
            episode=people.episode, step=request.step, window_from=LEAP, window_until=LEAP
        ),
        lambda: type(request).objects.filter(pk=request.pk).update(window_until=LEAP),
    ]

    for act in forbidden:
        with pytest.raises(IntegrityError), transaction.atomic():
            act()
    assert visit.uid == f"{visit.id}@stepwise"
    assert visit.kind in AppointmentKind.values


def test_a_check_ins_signs_are_words_and_no_codes():
    flags = [
        {"sign": "W2", "severity": "urgent", "summary": "Fever"},
        {"sign": "W4", "severity": "call"},
    ]
    assert CheckIn(flags=flags).signs == "Fever, W4"
    assert CheckIn().signs == ""
