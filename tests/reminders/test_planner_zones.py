"""Local times over clock changes, in every zone of the database."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import pytest

from reminders.planner import Intent, next_in_window, plan
from tests.reminders.rules import case, every, patient, rule, utc

ZONES = sorted(zoneinfo.available_timezones() - {"localtime"})
FIRST, LAST = utc(2026, 1, 1), utc(2028, 12, 31)


def test_a_time_that_a_clock_change_skips_moves_forward():
    assert Intent(date(2026, 3, 29), time(1, 30), "Europe/London").moment == utc(2026, 3, 29, 1, 30)
    assert shown(date(2026, 3, 29), time(1, 30), "Europe/London") == "02:30"


def test_of_a_time_that_comes_twice_the_first_is_used():
    assert Intent(date(2026, 10, 25), time(1, 30), "Europe/London").moment == utc(
        2026, 10, 25, 0, 30
    )


def test_a_change_of_half_an_hour_is_followed_too():
    assert shown(date(2026, 10, 4), time(2, 15), "Australia/Lord_Howe") == "02:45"


def test_a_daily_step_keeps_its_local_time_over_both_changes():
    steps = [rule(offset=0, at=time(9), repetition=every(1, count=250))]

    rows = plan(
        steps, case(patient("Europe/London"), anchors={"surgery": date(2026, 3, 20)}), FIRST
    )

    london = zoneinfo.ZoneInfo("Europe/London")
    assert {row.due_at.astimezone(london).time() for row in rows} == {time(9)}
    assert {row.due_at.time() for row in rows} == {time(9), time(8)}


def shown(day, at, zone):
    return f"{Intent(day, at, zone).moment.astimezone(zoneinfo.ZoneInfo(zone)):%H:%M}"


@cache
def changes(zone):
    """The UTC moments at which the zone's offset changes within three years, to the minute."""
    info, found = zoneinfo.ZoneInfo(zone), []
    day = FIRST
    while day < LAST:
        after = day + timedelta(days=1)
        if offset(info, day) != offset(info, after):
            found.append(bisect(info, day, after))
        day = after
    return found


def offset(info, moment):
    return moment.astimezone(info).utcoffset()


def bisect(info, before, after):
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) / 2
        if offset(info, middle) == offset(info, before):
            before = middle
        else:
            after = middle
    return after.replace(second=0, microsecond=0)


def test_the_database_has_changes_to_try():
    assert sum(bool(changes(zone)) for zone in ZONES) > 150


@pytest.mark.parametrize("minutes", range(-90, 120, 30))
def test_around_every_change_a_moment_shows_its_time_or_a_later_one_and_is_the_first(minutes):
    for zone in ZONES:
        info = zoneinfo.ZoneInfo(zone)
        for change in changes(zone):
            wall = (change + offset(info, change - timedelta(hours=1))).replace(tzinfo=None)
            check(wall + timedelta(minutes=minutes), zone, info)


def check(wall, zone, info):
    moment = Intent(wall.date(), wall.time(), zone).moment
    seen = moment.astimezone(info).replace(tzinfo=None)
    real = {
        candidate
        for fold in (0, 1)
        for candidate in [
            datetime.combine(wall, wall.time(), info).replace(fold=fold).astimezone(UTC)
        ]
        if candidate.astimezone(info).replace(tzinfo=None) == wall
    }
    if real:
        assert moment == min(real), (zone, wall)
    else:
        assert wall < seen <= wall + timedelta(hours=24), (zone, wall)


@pytest.mark.parametrize("window", [(time(8), time(20)), (time(1, 30), time(2, 30))])
def test_around_every_change_the_window_is_found_within_a_day_and_not_before_it_opens(window):
    """The second window may be skipped by the change, or come twice: it never opens in the past."""
    opens, closes = window
    for zone in ZONES:
        info = zoneinfo.ZoneInfo(zone)
        for change in changes(zone):
            for hours in range(-26, 3):
                now = change + timedelta(hours=hours)
                moment = next_in_window(now, zone, window)
                local = moment.astimezone(info).replace(tzinfo=None)
                opened = Intent(local.date(), opens, zone).moment
                assert now <= moment <= now + timedelta(hours=27), (zone, now)
                assert opens <= local.time() or opened <= moment, (zone, now)
                assert local.time() < closes or moment == opened, (zone, now)
