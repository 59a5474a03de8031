"""Calendar files (RFC 5545, RFC 5546)."""

from datetime import date, time

import pytest
from icalendar import Calendar

from patients import actions
from patients.calendars import calendar_file
from tests.factories import NOW, make_appointment

pytestmark = pytest.mark.django_db


def parsed(*appointments):
    return Calendar.from_ical(calendar_file(*appointments))


def event_of(appointment):
    (event,) = parsed(appointment).walk("VEVENT")
    return event


def test_a_visit_is_an_event_at_the_clinics_local_time(people):
    visit = make_appointment(people.episode, location=people.location, minutes=45)

    calendar, event = parsed(visit), event_of(visit)

    assert calendar["method"] == "PUBLISH"
    assert (event["uid"], event["sequence"], event["status"]) == (
        f"{visit.id}@stepwise",
        0,
        "CONFIRMED",
    )
    assert event["dtstart"].dt.isoformat() == "2026-06-10T14:30:00+01:00"
    assert event["dtstart"].params["TZID"] == "Europe/London"
    assert (event["dtend"].dt - event["dtstart"].dt).seconds == 45 * 60
    assert event["dtstamp"].dt == NOW
    assert event["location"] == "X-ray department, 1 Quay Street, London"


def test_a_file_has_the_time_zones_it_names(people):
    (zone,) = parsed(make_appointment(people.episode)).walk("VTIMEZONE")

    assert zone["TZID"] == "Europe/London"


def test_an_event_says_neither_what_for_nor_who(people):
    visit = make_appointment(
        people.episode, location=people.location, note="Bring the blood results"
    )

    text = calendar_file(visit)

    for word in ("x-ray visit", "osteotomy", "Patricia", "O'Neill", "H-001", "blood"):
        assert word.lower() not in text.lower()


def test_a_move_keeps_the_uid_and_raises_the_sequence(people):
    visit = make_appointment(people.episode)
    before = event_of(visit)

    actions.move_appointment(
        appointment=visit, on=date(2026, 6, 12), at=time(9), by=people.clerk, now=NOW
    )

    after = event_of(visit)
    assert after["uid"] == before["uid"]
    assert after["sequence"] == before["sequence"] + 1
    assert after["dtstart"].dt.isoformat() == "2026-06-12T09:00:00+01:00"


def test_a_visit_called_off_is_cancelled_in_the_calendar_with_a_higher_sequence(people):
    visit = make_appointment(people.episode)

    actions.cancel_appointment(appointment=visit, by=people.clerk, now=NOW)

    assert parsed(visit)["method"] == "CANCEL"
    assert (event_of(visit)["status"], event_of(visit)["sequence"]) == ("CANCELLED", 1)


def test_a_visit_in_a_skipped_hour_has_the_moment_that_exists(people):
    visit = make_appointment(people.episode, on=date(2026, 3, 29), at=time(1, 30))

    assert event_of(visit)["dtstart"].dt.isoformat() == "2026-03-29T02:30:00+01:00"


def test_two_visits_come_in_one_file(people):
    visits = [
        make_appointment(people.episode),
        make_appointment(people.episode, on=date(2026, 7, 1)),
    ]

    assert {event["uid"] for event in parsed(*visits).walk("VEVENT")} == {
        visit.uid for visit in visits
    }


def test_lines_end_and_fold_as_the_format_says(people):
    people.location.address = "A very long address, " * 10
    people.location.save()
    text = calendar_file(make_appointment(people.episode, location=people.location))

    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")
