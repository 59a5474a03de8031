"""Sending a check-in. It is atomic and audited; what comes of its warning signs is in `alerts`.

Callers check who may (`permissions`); `now` is UTC.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from patients.actions.alerts import raise_alert
from patients.actions.answers import answer_step
from patients.actions.notes import Action, record, today_at
from patients.degrees import degrees
from patients.models import CheckIn, Episode, StepResponse
from portal.models import User
from procedures.models import Category, Questionnaire, RedFlagRule, Step
from procedures.offsets import Offset
from procedures.question_wording import advice_of, rule_of
from procedures.red_flags import firing
from procedures.wording import clinic_values

Answers = Sequence[Mapping[str, Any]]


@transaction.atomic
def submit_check_in(
    *,
    episode: Episode,
    questionnaire: Questionnaire,
    answers: Answers,
    by: User,
    now: datetime,
    ticket: str,
) -> CheckIn:
    """Keep a check-in, raise an alert for each warning sign in it, and count the day's step as done.

    The same form sent twice makes one check-in; with other answers, after going back, it makes another.
    Raises ValidationError where the episode is closed.
    """
    if not episode.is_open or episode.patient.deceased_on:
        raise ValidationError(_("This plan is closed. Please call the clinic."))
    today = today_at(episode.patient.clinic, now)
    rules = rules_met(episode, questionnaire, answers)
    check_in, is_new = CheckIn.objects.get_or_create(
        episode=episode,
        ticket=_once(ticket, answers),
        defaults={
            "questionnaire": questionnaire,
            "questionnaire_version": questionnaire.version,
            "answers": list(answers),
            "flags": [asdict(advice_of(rule, by.language)) for rule in rules],
            "by": by,
            "is_on_behalf": by.pk != episode.patient.user_id,
            "sent_at": now,
            "local_date": today,
        },
    )
    if is_new:
        _follow_up(check_in, rules, by=by, now=now)
    return check_in


def _follow_up(check_in: CheckIn, rules: Sequence[RedFlagRule], *, by: User, now: datetime) -> None:
    episode, asked = check_in.episode, check_in.questionnaire
    record(
        Action.CREATE, "check_in.send", by=by, obj=check_in, patient=episode.patient,
        after={"questionnaire": f"{asked.key} v{asked.version}"},
    )  # fmt: skip
    for rule in rules:
        raise_alert(
            episode=episode, source={"check_in": check_in}, rule_key=rule.key, sign=rule.sign.key,
            severity=rule.severity, summary=_summary(check_in, rule), now=now,
        )  # fmt: skip
    for step in check_in_steps_of(episode, check_in.local_date):
        answer_step(
            episode=episode,
            step=step,
            occurrence=0,
            answer=StepResponse.Answer.DONE,
            by=by,
            now=now,
        )


def _once(ticket: str, answers: Answers) -> str:
    """One key for one form with one set of answers."""
    whole = json.dumps([ticket, [row["value"] for row in answers]], default=str)
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def rules_met(
    episode: Episode, questionnaire: Questionnaire, answers: Answers
) -> list[RedFlagRule]:
    """The rules that the answers meet, the most pressing first, by what the clinic has decided."""
    rows = {row.key: row for row in questionnaire.rules.select_related("sign")}
    given = {row["key"]: row["value"] for row in answers}
    values = clinic_values(episode.patient.clinic)
    met = firing([rule_of(row) for row in rows.values()], given, values)
    return [rows[rule.key] for rule in met]


def _summary(check_in: CheckIn, rule: RedFlagRule) -> str:
    """The sign in the clinic's language, with the number where one was measured."""
    language = check_in.episode.patient.clinic.language
    answer = next(row for row in check_in.answers if row["key"] == rule.question)
    words = advice_of(rule, language).summary
    if answer["kind"] != "number":
        return words
    with translation.override(language):
        return f"{words}: {degrees(answer['value'])}"


def check_in_steps_of(episode: Episode, today: date) -> Iterator[Step]:
    """The steps that asked for a check-in and still stand open on the local day `today`."""
    anchors = episode.anchors
    for step in episode.version.steps.filter(category=Category.CHECK_IN, repeat_every_days=None):
        if step.anchor in anchors:
            day = Offset(step.offset_value, step.offset_unit).added_to(anchors[step.anchor])
            if day <= today <= day + step.valid_for:
                yield step
