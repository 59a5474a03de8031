"""Which questionnaire is for whom today: the open episodes of a patient against the stages of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import CharField, QuerySet, UUIDField

from patients.care import Care
from patients.models import Episode
from patients.own_episodes import episodes_with_dates
from portal.models import Language
from portal.prepared import Blank, bring, prepared
from procedures.models import Question, Questionnaire
from procedures.question_wording import Asked, in_language, questions_of
from procedures.wording import clinic_values

AUDIENCE = Blank("audience", CharField())
QUESTIONNAIRE = Blank("questionnaire", UUIDField())


@dataclass(frozen=True, slots=True)
class Stage:
    """The questions for one episode on one day, in the reader's words."""

    episode: Episode
    questionnaire: Questionnaire
    title: str
    intro: str
    language: str
    questions: tuple[Asked, ...]
    unit: str
    is_translated: bool


def stages_of(care: Care) -> list[Stage]:
    """What there is to answer about the chosen patient today, one for each open episode. Six queries."""
    patient = care.patient
    if patient is None or patient.deceased_on is not None:
        return []
    episodes = [row for row in episodes_with_dates(care) if row.is_open]
    found = []
    for episode in episodes:
        if (questionnaire := questionnaire_for(episode, care)) is not None:
            found.append(_stage(care, episode, questionnaire))
    return found


def stage_of(care: Care, episode_id: UUID, key: str) -> Stage | None:
    """The questions that a form was made of, also where the stage went by while it was filled in."""
    patient = care.patient
    if patient is None:
        return None
    own = Episode.objects.own(care.reader).filter(patient=patient)
    episode = own.prefetch_related("anchor_dates").filter(pk=episode_id).first()
    questionnaire = _asked_here().filter(key=key).prefetch_related("questions").first()
    if episode is None or questionnaire is None:
        return None
    episode.patient = patient
    return _stage(care, episode, questionnaire)


def _asked_here() -> QuerySet[Questionnaire]:
    return Questionnaire.objects.filter(kind=Questionnaire.Kind.CHECK_IN)


def questionnaire_for(episode: Episode, care: Care) -> Questionnaire | None:
    """The check-in whose stage holds today, by the age that the pathway goes by; of two, the later one."""
    anchors = episode.anchors
    clinic_day = care.now.astimezone(episode.patient.clinic.zone).date()
    audience = "child" if episode.patient.is_child_on(episode.surgery_on or clinic_day) else "adult"
    rows = _questionnaires(audience=audience)
    going = [
        row for row in rows if row.anchor in anchors and row.is_for(anchors[row.anchor], clinic_day)
    ]
    latest = max(going, key=lambda row: anchors[row.anchor], default=None)
    if latest is not None:
        bring([latest], "questions", _questions(questionnaire=latest.pk), "questionnaire_id")
    return latest


@prepared
def _questionnaires() -> QuerySet[Any, Questionnaire]:
    rows = _asked_here().filter(audience=AUDIENCE)
    return rows.defer("loaded")


@prepared
def _questions() -> QuerySet[Any, Question]:
    return Question.objects.filter(questionnaire=QUESTIONNAIRE).order_by("position")


def _stage(care: Care, episode: Episode, questionnaire: Questionnaire) -> Stage:
    reader = care.reader.language
    values = clinic_values(episode.patient.clinic)
    language, words = in_language(questionnaire.words, reader)
    questions = tuple(questions_of(questionnaire, reader, values))
    spoken = {language[:2], *(asked.language[:2] for asked in questions)}
    return Stage(
        episode=episode,
        questionnaire=questionnaire,
        title=words["title"],
        intro=words["intro"],
        language=language,
        questions=questions,
        unit="fahrenheit" if reader == Language.AMERICAN_ENGLISH else "celsius",
        # British and American English are each other's readers.
        is_translated=spoken == {reader[:2]},
    )
