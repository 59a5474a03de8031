"""Sending a check-in, and what staff do about the alerts that come of it. Each action is atomic and audited.

Callers check who may (`permissions`); `now` is UTC.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from patients.actions.answers import answer_step
from patients.actions.notes import Action, record, today_at
from patients.degrees import degrees
from patients.models import Alert, CheckIn, Episode, StepResponse
from portal import mail
from portal.models import Clinic, User
from procedures.models import Category, Questionnaire, RedFlagRule, Step
from procedures.offsets import Offset
from procedures.question_wording import advice_of, rule_of
from procedures.red_flags import SEVERITIES, firing
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
        _raise_alert(check_in, rule, now=now)
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


def _raise_alert(check_in: CheckIn, rule: RedFlagRule, *, now: datetime) -> None:
    episode = check_in.episode
    told = {
        "episode": episode, "check_in": check_in, "sign": rule.sign.key,
        "severity": rule.severity, "summary": _summary(check_in, rule),
    }  # fmt: skip
    alert, is_new = Alert.objects.select_for_update().get_or_create(
        patient=episode.patient, rule_key=rule.key, resolved_at=None,
        defaults={**told, "raised_at": now},
    )  # fmt: skip
    if not is_new:
        _tell_again(alert, told, now)
    record(
        Action.CREATE if is_new else Action.UPDATE, "alert.raise", by=None, obj=alert,
        patient=episode.patient, after={"rule": rule.key, "severity": alert.severity, "times": alert.times},
    )  # fmt: skip


def _tell_again(alert: Alert, told: Mapping[str, Any], now: datetime) -> None:
    """The same sign once more: somebody has to look again, even where it was acknowledged before."""
    worst = min(alert.severity, told["severity"], key=SEVERITIES.index)
    for name, value in {**told, "severity": worst, "times": alert.times + 1}.items():
        setattr(alert, name, value)
    if alert.acknowledged_at:
        alert.acknowledged_at = alert.acknowledged_by = alert.escalated_at = None
        alert.raised_at = now
    alert.save()


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


@transaction.atomic
def acknowledge_alert(*, alert: Alert, by: User, now: datetime) -> bool:
    """Say that somebody has seen an alert and is on it. False where somebody was faster."""
    changed = (
        Alert.objects.new().filter(pk=alert.pk).update(acknowledged_at=now, acknowledged_by=by)
    )
    if changed:
        record(Action.UPDATE, "alert.acknowledge", by=by, obj=alert, patient=alert.patient)
    return bool(changed)


@transaction.atomic
def resolve_alert(*, alert: Alert, by: User, now: datetime, note: str) -> bool:
    """Close an alert, saying what was done. False where somebody was faster.

    Raises ValidationError without a note. The alert counts as acknowledged with it.
    """
    if not note.strip():
        raise ValidationError({"note": _("Say what was done.")})
    Alert.objects.new().filter(pk=alert.pk).update(acknowledged_at=now, acknowledged_by=by)
    changed = (
        Alert.objects.open()
        .filter(pk=alert.pk)
        .update(resolved_at=now, resolved_by=by, note=note.strip())
    )
    if changed:
        record(Action.UPDATE, "alert.resolve", by=by, obj=alert, patient=alert.patient,
                after={"note": note.strip()})  # fmt: skip
    return bool(changed)


def escalate_alerts(*, now: datetime) -> int:
    """Tell each clinic's address on call of the alerts that nobody has acknowledged in time; how many.

    The mail is marked as sent once the server has taken it: after a crash in between it goes again, under
    the same Message-ID. Safe to repeat.
    """
    told = 0
    for clinic in Clinic.objects.exclude(on_call_email=""):
        waited = now - timedelta(minutes=clinic.escalate_after_minutes)
        late = Alert.objects.new().filter(patient__clinic=clinic, escalated_at=None)
        for alert in late.filter(raised_at__lte=waited).most_pressing_first():
            told += _escalate(alert, clinic, now)
    return told


def _escalate(alert: Alert, clinic: Clinic, now: datetime) -> bool:
    answer = mail.send(_waiting_mail(alert, clinic, now))
    if answer.outcome is not mail.Outcome.SENT:
        return False
    with transaction.atomic():
        changed = Alert.objects.filter(pk=alert.pk, escalated_at=None).update(escalated_at=now)
        if changed:
            record(Action.EXECUTE, "alert.escalate", by=None, obj=alert, patient=alert.patient)
    return bool(changed)


def _waiting_mail(alert: Alert, clinic: Clinic, now: datetime) -> mail.Mail:
    """A mail that says that something waits and where, and nothing of whom or what."""
    context = {
        "clinic": clinic,
        "minutes": int((now - alert.raised_at).total_seconds() // 60),
        "url": settings.BASE_URL + reverse("admin:alert_page", args=[alert.pk]),
    }
    with translation.override(clinic.language):
        return mail.Mail(
            to=clinic.on_call_email,
            subject=_("An alert is waiting"),
            text=render_to_string("patients/email/alert_waiting.txt", context),
            message_id=f"<alert-{alert.pk}-{alert.times}@{mail.message_id_domain()}>",
        )
