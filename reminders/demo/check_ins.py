"""The check-ins of the demo: most people get better week by week, and two told a warning sign."""

from __future__ import annotations

from datetime import datetime

from patients.actions import acknowledge_alert, submit_check_in
from patients.models import Alert, CheckIn, Episode
from patients.reader_forms import CheckInForm
from portal.models import User
from portal.once import new_ticket
from procedures.models import Questionnaire
from procedures.question_wording import questions_of
from procedures.wording import clinic_values

# Days after going home on which people answer, and their pain by then.
PAIN_ON = {1: 6, 2: 6, 4: 5, 7: 5, 11: 4, 14: 3, 21: 3, 28: 2, 35: 2, 42: 1, 63: 1}

FINE = {
    "pain-held": "yes", "pain-trend": "less", "temperature-unit": "celsius", "shivering": "no",
    "wound-leak": "no", "wound-red": "no", "wound-bleeding": "no", "breathing": "no", "clot": "no",
    "numbness": "cut", "sickness": "no", "mood": "good", "skin": "no", "device": "fits", "feeding": "usual",
}  # fmt: skip
# What two of them told, by name and day.
TOLD = {
    ("Fiadh Somerleigh", 1): {"temperature": "38.6", "wound-leak": "yes", "note": "It started last night."},
    ("Amara Whitlock-Sato", 7): {"numbness": "leg"},
}  # fmt: skip
ACKNOWLEDGED = "Amara Whitlock-Sato"


def answer(episode: Episode, name: str, days: int, *, by: User, now: datetime) -> CheckIn | None:
    """Answer the questions of the day, `days` after going home; None where none are asked."""
    key = "child" if episode.patient.is_child_on(now.date()) else "adult"
    stage = "first-weeks" if days < 42 else "later"
    questionnaire = Questionnaire.objects.get(key=f"{key}-{stage}")
    words = questions_of(questionnaire, by.language, clinic_values(episode.patient.clinic))
    told = {"pain": str(PAIN_ON[days]), "temperature": f"{36.5 + (days * 7 % 9) / 10:.1f}"}
    data = {**FINE, **told, **TOLD.get((name, days), {}), "ticket": new_ticket()}
    form = CheckInForm(data, questions=words)
    if not form.is_valid():
        return None
    return submit_check_in(
        episode=episode, questionnaire=questionnaire, answers=form.given(), by=by, now=now,
        ticket=form.cleaned_data["ticket"],
    )  # fmt: skip


def acknowledge(episode: Episode, name: str, *, by: User, now: datetime) -> None:
    """Let a nurse see to what one of them told."""
    if name == ACKNOWLEDGED:
        for alert in Alert.objects.new().filter(episode=episode):
            acknowledge_alert(alert=alert, by=by, now=now)
