"""Makes exercises and prescriptions for tests."""

from itertools import count
from typing import Any

from patients.actions import prescribe
from patients.models import Episode, Prescription
from procedures.models import Exercise
from tests.factories import NOW
from tests.people import People

_numbers = count(1)


def make_exercise(key: str = "heel-slide", **fields: Any) -> Exercise:
    """An exercise for adults in English."""
    name = key.replace("-", " ").capitalize()
    defaults: dict[str, Any] = {
        "audience": "adult",
        "phase": "early_weeks",
        "position": next(_numbers),
        "words": {"en-gb": {"name": name, "instructions": ["Lie down.", "Move slowly."]}},
    }
    return Exercise.objects.create(key=key, **(defaults | fields))


def prescribed(
    people: People,
    key: str = "heel-slide",
    *,
    episode: Episode | None = None,
    exercise: Exercise | None = None,
    audience: str = "adult",
    **fields: Any,
) -> Prescription:
    """An exercise that the physiotherapist prescribed to the patient, to be done from today on."""
    defaults: dict[str, Any] = {
        "sets": 2,
        "repetitions": 10,
        "times_a_day": 1,
        "starts_on": NOW.date(),
    }
    return prescribe(
        episode=episode or people.episode,
        exercise=exercise or make_exercise(key, audience=audience),
        by=people.physiotherapist,
        now=NOW,
        **(defaults | fields),
    )
