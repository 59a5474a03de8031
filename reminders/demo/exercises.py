"""The exercises of the demo: prescribed at home-going and moved on, done on most days, with pain that eases."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from patients.actions import log_exercise, prescribe
from patients.models import Episode, Prescription
from portal.models import User
from procedures.models import Exercise

# Days after going home on which a phase of the library is prescribed.
PHASES = {0: "first_days", 10: "early_weeks", 42: "building", 84: "later"}
# Days of the week, counted from going home, on which nobody finds the time.
DAYS_OFF = frozenset({5, 12, 13, 20, 26})
WEEKS_TOLD = 8


def start_phase(episode: Episode, days: int, *, by: User, now: datetime) -> None:
    """Prescribe the exercises of a phase, and end those of the one before."""
    audience = "child" if episode.patient.is_child_on(now.date()) else "adult"
    today = now.astimezone(episode.patient.clinic.zone).date()
    for exercise in Exercise.objects.filter(audience=audience, phase=PHASES[days]):
        prescribe(
            episode=episode, exercise=exercise, sets=1, repetitions=10,
            times_a_day=3 if days == 0 else 2, starts_on=today, last_on=_last(today, days),
            by=by, now=now,
        )  # fmt: skip


def _last(today: date, days: int) -> date | None:
    later = [start for start in PHASES if start > days]
    return today + timedelta(days=min(later) - days - 1) if later else None


def do(episode: Episode, days: int, *, by: User, now: datetime) -> None:
    """Do the day's exercises, `days` after going home: on most days all of them, on some the first time only."""
    if days in DAYS_OFF:
        return
    today = now.astimezone(episode.patient.clinic.zone).date()
    running = Prescription.objects.running(today).filter(episode=episode)
    for row in running.select_related("exercise", "episode__patient__clinic"):
        for number in range(1, (1 if days % 4 == 3 else row.times_a_day) + 1):
            log_exercise(
                prescription=row, round=number, by=by, now=now,
                pain_before=max(0, 4 - days // 10), pain_after=max(0, 5 - days // 10),
            )  # fmt: skip
