"""Sends check-ins in tests: a patient who is home, and answers that hold no warning sign."""

from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse

from patients.models import AnchorDate, Episode
from portal.once import new_ticket
from tests.people import People

# No answer in here is a warning sign; in every questionnaire, what it does not ask is left out.
CALM: dict[str, str] = {
    "pain": "3",
    "pain-held": "yes",
    "pain-trend": "less",
    "temperature": "36.8",
    "temperature-unit": "celsius",
    "shivering": "no",
    "wound-leak": "no",
    "wound-red": "no",
    "wound-bleeding": "no",
    "breathing": "no",
    "clot": "no",
    "numbness": "cut",
    "sickness": "no",
    "mood": "good",
    "skin": "no",
    "device": "fits",
    "feeding": "usual",
    "ill": "no",
    "note": "",
}


def send_home(episode: Episode, *, days_ago: int, now: Any) -> Episode:
    """Discharge an episode so many days before `now`, with surgery three days earlier."""
    home = now.date() - timedelta(days=days_ago)
    for anchor, on in (("surgery", home - timedelta(days=3)), ("discharge", home)):
        AnchorDate.objects.update_or_create(episode=episode, anchor=anchor, defaults={"on": on})
    return episode


def discharged(people: People, days_ago: int = 4) -> Episode:
    """The patient's episode, at home since some days."""
    return send_home(people.episode, days_ago=days_ago, now=people.now)


def answers_for(episode: Episode, **changed: str) -> dict[str, str]:
    """What a browser posts for `episode`, with some answers changed; write `_` for the hyphens of a key."""
    return {
        "episode": str(episode.pk),
        "questionnaire": "adult-first-weeks",
        "ticket": new_ticket(),
        **CALM,
        **{key.replace("_", "-"): value for key, value in changed.items()},
    }


def send(client: Client, episode: Episode, **changed: str) -> Any:
    """Post a check-in and follow to its result."""
    return client.post(reverse("patients:check_in"), answers_for(episode, **changed), follow=True)
