"""Appointments as calendar files (RFC 5545, RFC 5546)."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from patients.models import Appointment
from portal import clock


def method_of(appointment: Appointment) -> str:
    """PUBLISH while the appointment stands, CANCEL once it does not (RFC 5546 section 3.2)."""
    return "CANCEL" if appointment.status == Appointment.Status.CANCELLED else "PUBLISH"


def calendar_file(*appointments: Appointment) -> str:
    """The appointments, all of one method, as the text of an .ics file.

    The entry says where and when but not what for: calendars are shared and shown on lock screens.
    UID stays for life and SEQUENCE rises with every change, so that a calendar replaces the old entry.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Stepwise//Stepwise//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method_of(appointments[0]))
    for appointment in appointments:
        calendar.add_component(_event(appointment))
    calendar.add_missing_timezones()
    return calendar.to_ical().decode()


def _event(appointment: Appointment) -> Event:
    clinic = appointment.episode.patient.clinic
    starts_at = appointment.starts_at.astimezone(appointment.zone)
    event = Event()
    event.add("uid", appointment.uid)
    event.add("sequence", appointment.sequence)
    event.add("dtstamp", clock.now())
    event.add("dtstart", starts_at)
    event.add("dtend", starts_at + timedelta(minutes=appointment.minutes))
    event.add("summary", _("Appointment at %(clinic)s") % {"clinic": clinic.name})
    event.add("status", "CANCELLED" if method_of(appointment) == "CANCEL" else "CONFIRMED")
    if appointment.location:
        event.add("location", f"{appointment.location.name}, {appointment.location.address}")
    return event
