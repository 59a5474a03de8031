"""Alerts: raised for a warning sign, seen to by staff, and told on call where nobody sees to them.

Each action is atomic and audited. Callers check who may (`permissions`); `now` is UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record
from patients.models import Alert, CheckIn, Episode, Slip
from portal import mail
from portal.models import Clinic, User
from procedures.red_flags import SEVERITIES


def raise_alert(
    *,
    episode: Episode,
    source: Mapping[str, CheckIn | Slip],
    rule_key: str,
    sign: str,
    severity: str,
    summary: str,
    now: datetime,
) -> Alert:
    """Tell the team of a warning sign, once for each cause: told again, it asks for another look.

    `source` names the check-in or the slip that it comes of; `summary` is in the clinic's language.
    """
    told = {
        "episode": episode, "check_in": None, "slip": None, **source, "sign": sign,
        "severity": severity, "summary": summary,
    }  # fmt: skip
    alert, is_new = Alert.objects.select_for_update().get_or_create(
        patient=episode.patient, rule_key=rule_key, resolved_at=None,
        defaults={**told, "raised_at": now},
    )  # fmt: skip
    if not is_new:
        _tell_again(alert, told, now)
    record(
        Action.CREATE if is_new else Action.UPDATE, "alert.raise", by=None, obj=alert,
        patient=episode.patient, after={"rule": rule_key, "severity": alert.severity, "times": alert.times},
    )  # fmt: skip
    return alert


def _tell_again(alert: Alert, told: Mapping[str, Any], now: datetime) -> None:
    """The same sign once more: somebody has to look again, even where it was acknowledged before."""
    worst = min(alert.severity, told["severity"], key=SEVERITIES.index)
    for name, value in {**told, "severity": worst, "times": alert.times + 1}.items():
        setattr(alert, name, value)
    if alert.acknowledged_at:
        alert.acknowledged_at = alert.acknowledged_by = alert.escalated_at = None
        alert.raised_at = now
    alert.save()


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
