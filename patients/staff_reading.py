"""A check-in as staff read it: in the clinic's language, whatever the language it was answered in."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils import translation
from django.utils.translation import gettext as _

from patients.degrees import degrees
from patients.models import CheckIn
from procedures.models import Question
from procedures.question_wording import in_language


class Said(NamedTuple):
    """One answer: the question, the answer in words, and whether it is a warning sign."""

    label: str
    shown: str
    is_flag: bool


def in_clinics_words(check_in: CheckIn) -> list[Said]:
    """The answers in the language of the clinic; a question that is no longer asked stays as it was read.

    One query for the questions. Reads the check-in's episode, patient and clinic.
    """
    clinic = check_in.episode.patient.clinic
    questions = {row.key: row for row in check_in.questionnaire.questions.all()}
    signs = {row["key"]: row for row in check_in.flags}
    flagged = {row.question for row in check_in.questionnaire.rules.all() if row.key in signs}
    with translation.override(clinic.language):
        return [
            _said(answer, questions.get(answer["key"]), clinic.language, flagged)
            for answer in check_in.answers
        ]


def _said(
    answer: dict[str, Any], question: Question | None, language: str, flagged: set[str]
) -> Said:
    label, shown = answer["label"], answer["shown"]
    if question is not None:
        words = in_language(question.words, language)[1]
        label = words["label"]
        shown = words.get("choices", {}).get(answer["value"], shown)
    if answer["kind"] == "yes_no":
        shown = _("Yes") if answer["value"] else _("No")
    elif answer["kind"] == "number":
        shown = degrees(answer["value"])
    return Said(label, shown, answer["key"] in flagged)
