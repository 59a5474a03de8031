"""Appointments as calendar files (RFC 5545, RFC 5546), and as a feed that calendar programs come back to (RFC 7986)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from icalendar import Calendar, Event, vText

from patients.models import Appointment
from portal import clock

# How often a calendar program is asked to look for news.
COME_BACK = timedelta(hours=1)


def method_of(appointment: Appointment) -> str:
    """PUBLISH while the appointment stands, CANCEL once it does not (RFC 5546 section 3.2)."""
    return "CANCEL" if appointment.status == Appointment.Status.CANCELLED else "PUBLISH"


def calendar_file(*appointments: Appointment) -> str:
    """The appointments, all of one method, as the text of an .ics file.

    The entry says where and when but not what for: calendars are shared and shown on lock screens.
    UID stays for life and SEQUENCE rises with every change, so that a calendar replaces the old entry.
    """
    calendar = _calendar(method_of(appointments[0]))
    for appointment in appointments:
        calendar.add_component(_event(appointment, stamp=clock.now()))
    calendar.add_missing_timezones()
    return calendar.to_ical().decode()


def calendar_feed(appointments: Iterable[Appointment], *, names_patients: bool) -> str:
    """All visits of one reader as the text of a feed. The same visits make the same text.

    What was called off stays in it as STATUS:CANCELLED, so that it leaves calendars that hold it. Only where
    the reader has several patients does an entry say whose visit it is, by the given name.
    """
    calendar = _calendar("PUBLISH")
    calendar.add("x-wr-calname", _("Visits"))
    calendar.add("name", _("Visits"))
    calendar.add("refresh-interval", COME_BACK, parameters={"VALUE": "DURATION"})
    for appointment in appointments:
        event = _event(appointment, stamp=appointment.changed_at)
        event.add("last-modified", appointment.changed_at)
        if names_patients:
            name = appointment.episode.patient.given_name
            event["summary"] = vText(f"{event['summary']} ({name})")
        calendar.add_component(event)
    calendar.add_missing_timezones()
    return calendar.to_ical().decode()


def _calendar(method: str) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", "-//Stepwise//Stepwise//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    return calendar


def _event(appointment: Appointment, *, stamp: datetime) -> Event:
    clinic = appointment.episode.patient.clinic
    starts_at = appointment.starts_at.astimezone(appointment.zone)
    event = Event()
    event.add("uid", appointment.uid)
    event.add("sequence", appointment.sequence)
    event.add("dtstamp", stamp)
    event.add("dtstart", starts_at)
    event.add("dtend", starts_at + timedelta(minutes=appointment.minutes))
    event.add("summary", _("Appointment at %(clinic)s") % {"clinic": clinic.name})
    event.add("status", "CANCELLED" if method_of(appointment) == "CANCEL" else "CONFIRMED")
    if appointment.location:
        event.add("location", f"{appointment.location.name}, {appointment.location.address}")
    return event
