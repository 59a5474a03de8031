"""Builds the demo: the clinic, its staff, its approved pathways, and its patients' stories up to now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta

from django.core.management import call_command
from django.db import connection

from patients.actions import count_tasks, sync_tasks
from portal import actions as portal_actions
from portal import clock
from portal.demo import (
    CLINIC_SLUG,
    PASSWORD,
    SECOND_CLINIC_SLUG,
    SECOND_CLINIC_STAFF,
    STAFF,
    Login,
)
from portal.models import Clinic, Heartbeat, Location, User
from procedures.demo import settle_demo_clinic
from procedures.models import PathwayVersion
from reminders import balance
from reminders.demo import consents
from reminders.demo.cast import CAST, SECOND_CLINIC, Part
from reminders.demo.playback import Event, play
from reminders.demo.story import Stage, Story

# The heartbeat that says that the demo was filled to the end.
FILLED = "demo_filled"
# The pathways that the cast goes, one for each audience.
_PLAYED = ("pao-adult", "vdro-child")
PATHWAYS_APPROVED_BEFORE = timedelta(days=30)
WORKLISTS_COUNTED = timedelta(days=30)


def is_filled() -> bool:
    """Whether the demo was filled to the end."""
    return Heartbeat.objects.filter(name=FILLED).exists()


def fill(now: datetime, say: Callable[[str], None]) -> None:
    """Fill an empty demo. `now` (UTC) is where its stories have got to; `say` is told of the progress."""
    first = _stage(Clinic(**_FIRST), STAFF, now)
    second = _stage(Clinic(**_SECOND), SECOND_CLINIC_STAFF, now)
    stories = [Story(part, first, number) for number, part in enumerate(CAST, start=1)]
    stories += [Story(part, second, number) for number, part in enumerate(SECOND_CLINIC, start=70)]
    events = [event for story in stories for event in story.events()]
    begin = min(event.at for event in events)
    with _quick_commits():
        _approve((first, second), begin - PATHWAYS_APPROVED_BEFORE)
        _play(events, begin, now, say)
    Heartbeat.objects.create(name=FILLED, beat_at=now)


def _play(events: list[Event], begin: datetime, now: datetime, say: Callable[[str], None]) -> None:
    month, counted_from = "", now - WORKLISTS_COUNTED
    for moment in play(events, since=begin - timedelta(seconds=1), until=now):
        if f"{moment:%B %Y}" != month:
            month = f"{moment:%B %Y}"
            say(f"  playing {month}")
        if moment - counted_from >= timedelta(days=1):
            counted_from = moment
            _count_worklists(moment)
    _count_worklists(now)
    balance.check(now=now)


def _count_worklists(now: datetime) -> None:
    """Look for what waits for somebody and count it, as the beat does, so that Today has days to picture."""
    sync_tasks(now=now)
    count_tasks(now=now)


@contextmanager
def _quick_commits() -> Iterator[None]:
    """Let SQLite not wait for the disk: a demo that a power cut leaves half filled is begun again."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
        try:
            yield
        finally:
            cursor.execute("PRAGMA synchronous=FULL")


def cast() -> tuple[Part, ...]:
    """Everybody in the demo, both clinics."""
    return CAST + SECOND_CLINIC


_FIRST = {
    "name": "Brackenfield Hip Clinic (demo)",
    "slug": CLINIC_SLUG,
    "time_zone": "Europe/London",
    "phone_in_hours": "01632 960100",
    "opening_hours": "Monday to Friday, 8 am to 6 pm",
    "phone_out_of_hours": "01632 960199",
    "emergency_wording": "In an emergency call 999.",
    "emergency_phone": "999",
    "open_days": "12345",
    "opens_at": time(8),
    "closes_at": time(18),
    "on_call_email": "on.call@brackenfield.example",
    "is_demo": True,
}
_SECOND = {
    "name": "Northmere Orthopaedics (demo)",
    "slug": SECOND_CLINIC_SLUG,
    "time_zone": "Europe/Lisbon",
    "phone_in_hours": "01632 960300",
    "opening_hours": "Monday to Saturday, 9 am to 5 pm",
    "phone_out_of_hours": "01632 960399",
    "emergency_wording": "In an emergency call 112.",
    "emergency_phone": "112",
    "open_days": "123456",
    "opens_at": time(9),
    "closes_at": time(17),
    "sending_from": time(9),
    "is_demo": True,
}


def _stage(clinic: Clinic, staff: tuple[Login, ...], now: datetime) -> Stage:
    clinic.save()
    Location.objects.create(
        clinic=clinic,
        name="Main building",
        address="1 Invented Lane, Brackenfield",
        directions="Bus 7 stops at the door. There is level access and parking for blue badges.",
    )
    people = {login.role: _member(login, clinic) for login in staff}
    return Stage(clinic, people, {}, now.astimezone(clinic.zone).date())


def _member(login: Login, clinic: Clinic) -> User:
    user = User.objects.create_user(login.email, PASSWORD, name=login.name, is_staff=True)
    portal_actions.give_role(user=user, clinic=clinic, role=login.role, by=None)
    return user


def _approve(stages: tuple[Stage, ...], at: datetime) -> None:
    """Settle what the sources disagree on and approve the pathways, as each clinic's manager would."""
    with clock.standing_at(at):
        call_command("load_catalogue", verbosity=0)
        for stage in stages:
            settle_demo_clinic(clinic=stage.clinic, by=stage.staff["manager"], now=at)
            consents.publish(stage.clinic, by=stage.staff["manager"], now=at)
            versions = PathwayVersion.objects.approved().filter(clinic=stage.clinic)
            for version in versions.filter(pathway__key__in=_PLAYED).select_related(
                "pathway__procedure"
            ):
                stage.versions[version.pathway.audience] = version
