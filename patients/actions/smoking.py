"""Stopping smoking: the day of it, what helps, and slips. Each action is atomic and audited; `now` is UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from patients.actions.alerts import raise_alert
from patients.actions.episodes import set_anchor
from patients.actions.notes import Action, record, today_at
from patients.models import Episode, Slip, SmokeFreePlan
from portal import audit
from portal.models import User
from procedures.models import Severity

# No nicotine from six weeks before surgery until six weeks after it: facts P1 and M47 of the catalogue.
NEAR_SURGERY = timedelta(weeks=6)
# How far back a slip can be told.
TOLD_WITHIN = timedelta(days=7)
SLIP_RULE, SLIP_SIGN = "nicotine-near-surgery", "nicotine"


def _refuse_closed(episode: Episode) -> None:
    if not episode.is_open or episode.patient.deceased_on:
        raise ValidationError(_("This plan is closed. Please call the clinic."))


@transaction.atomic
def save_smoke_free_plan(
    *, episode: Episode, quit_on: date | None, by: User, now: datetime, **fields: Any
) -> SmokeFreePlan:
    """Keep the quit day and what helps. Saving what was saved already changes nothing.

    Raises ValidationError for a closed episode, and for a quit day after the first slip.
    """
    _refuse_closed(episode)
    if episode.anchors.get("quit") != quit_on:
        _refuse_later_than_slips(episode, quit_on)
        set_anchor(episode=episode, anchor="quit", on=quit_on, by=by, now=now)
    plan, is_new = SmokeFreePlan.objects.select_for_update().get_or_create(
        episode=episode, defaults={"changed_at": now}
    )
    before, after = audit.changes(plan, fields)
    if is_new or after:
        for name, value in fields.items():
            setattr(plan, name, value)
        plan.changed_at = now
        plan.save()
        record(
            Action.CREATE if is_new else Action.UPDATE, "smoke_free.plan", by=by, obj=plan,
            patient=episode.patient, before=before, after=after,
        )  # fmt: skip
    return plan


def _refuse_later_than_slips(episode: Episode, quit_on: date | None) -> None:
    first = episode.slips.standing().order_by("on").first()
    if first is not None and (quit_on is None or quit_on > first.on):
        raise ValidationError({"quit_on": _("You told us of a slip before this day.")})


@transaction.atomic
def log_slip(
    *, episode: Episode, on: date, what: str, by: User, now: datetime, ticket: str, note: str = ""
) -> Slip:
    """Keep a slip; the count of days starts again. Near surgery the team is told. `on` is the clinic's day.

    The same form sent twice makes one slip. Raises ValidationError for a closed episode, before the
    quit day, and for a day that lies ahead or more than `TOLD_WITHIN` back.
    """
    _refuse_closed(episode)
    today = today_at(episode.patient.clinic, now)
    quit_on = episode.anchors.get("quit")
    if quit_on is None or on < quit_on:
        raise ValidationError({"on": _("This is before the day you stopped.")})
    if not today - TOLD_WITHIN <= on <= today:
        raise ValidationError({"on": _("Choose a day of the last week.")})
    slip, is_new = Slip.objects.get_or_create(
        episode=episode, ticket=ticket,
        defaults={"on": on, "what": what, "note": note.strip(), "by": by, "told_at": now},
    )  # fmt: skip
    if is_new:
        record(
            Action.CREATE, "slip.tell", by=by, obj=slip, patient=episode.patient,
            after={"on": str(on), "what": what},
        )  # fmt: skip
        rows = Episode.objects.filter(patient=episode.patient_id).prefetch_related("anchor_dates")
        if (near := near_surgery(rows, on)) is not None:
            _tell_the_team(slip, near, now)
    return slip


def near_surgery(episodes: Iterable[Episode], on: date) -> Episode | None:
    """The one of a patient's episodes whose surgery lies within six weeks of the day, before or after: the nearest.

    Smoke-free days are counted once, in one episode; the bone that heals may be another one's.
    """
    near = [
        (abs(on - row.surgery_on), str(row.pk), row)
        for row in episodes
        if row.status != Episode.Status.CANCELLED and row.surgery_on is not None
    ]
    return min((row for row in near if row[0] <= NEAR_SURGERY), default=(None, "", None))[2]


def _tell_the_team(slip: Slip, episode: Episode, now: datetime) -> None:
    with translation.override(slip.episode.patient.clinic.language):
        summary = _summary(slip, episode)
    raise_alert(
        episode=episode, source={"slip": slip}, rule_key=SLIP_RULE, sign=SLIP_SIGN,
        severity=Severity.CALL, summary=summary, now=now,
    )  # fmt: skip


def _summary(slip: Slip, episode: Episode) -> str:
    """What happened and how near to the surgery of `episode`, in the language in force."""
    distance = (slip.on - episode.surgery_on).days if episode.surgery_on else 0
    values = {"what": str(slip.get_what_display()).capitalize(), "n": abs(distance)}
    if distance == 0:
        return _("%(what)s on the day of surgery") % values
    if distance < 0:
        words = ngettext(
            "%(what)s %(n)d day before surgery", "%(what)s %(n)d days before surgery", -distance
        )
    else:
        words = ngettext(
            "%(what)s %(n)d day after surgery", "%(what)s %(n)d days after surgery", distance
        )
    return words % values


@transaction.atomic
def withdraw_slip(*, slip: Slip, by: User, now: datetime) -> bool:
    """Take back a slip told by mistake; an alert stays for the team to close. False where it was taken back before."""
    _refuse_closed(slip.episode)
    changed = Slip.objects.standing().filter(pk=slip.pk).update(withdrawn_at=now)
    if changed:
        record(Action.UPDATE, "slip.withdraw", by=by, obj=slip, patient=slip.episode.patient)
    return bool(changed)
