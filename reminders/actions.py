"""What staff and patients do to plans and mails: book, move, cancel, send now, stop, choose. `now` is UTC.

An action on an episode changes the record through `patients.actions` and brings the plan up to
date in the same transaction, so that nobody ever sees the one without the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet, UUIDField
from django.utils.translation import gettext as _

from patients import actions as records
from patients.models import Episode, Hold, MoveRequest, Patient, StepResponse
from portal import audit
from portal.actions import pause_mail, set_reading
from portal.models import AuditEvent, User
from portal.prepared import Blank, prepared
from procedures.models import Category, PathwayVersion
from reminders import telling
from reminders.diff import STOPPED_BY_STAFF, Diff
from reminders.inputs import case_of, rules_of, sample_case
from reminders.models import Decision, Preference, Reminder, Suppression
from reminders.overrides import NONE, Choices
from reminders.planner import Desired, plan
from reminders.reconciler import preview, preview_all, reconcile


def preview_booking(
    *,
    patient: Any,
    version: Any,
    surgery_on: date | None,
    now: datetime,
    decision_on: date | None = None,
) -> list[Desired]:
    """The plan that booking would make, for a patient who need not be stored yet. Writes nothing."""
    today = now.astimezone(patient.clinic.zone).date()
    anchors = {"decision": decision_on or today}
    if surgery_on:
        anchors["surgery"] = surgery_on
    return plan(rules_of(version), sample_case(patient, anchors, now), now)


@transaction.atomic
def book(**booking: Any) -> tuple[Episode, Diff]:
    """Open an episode (`patients.actions.open_episode`) and plan it."""
    episode = records.open_episode(**booking)
    return episode, reconcile(episode, now=booking["now"])


def preview_anchor(
    *,
    episode: Episode,
    anchor: str,
    on: date | None,
    now: datetime,
) -> Diff:
    """What moving one date, or taking it away, would change in the plan. Writes nothing."""
    case = case_of(episode, now)
    anchors = {name: day for name, day in {**case.anchors, anchor: on}.items() if day is not None}
    moved = sample_case(episode.patient, anchors, now)
    what_if = replace(case, anchors=anchors, attributes=moved.attributes)
    return preview(episode, now=now, case=what_if)


@transaction.atomic
def move_anchor(
    *,
    episode: Episode,
    anchor: str,
    on: date | None,
    by: User | None,
    now: datetime,
    reason: str = "",
    choices: Choices = NONE,
) -> Diff:
    """Set, move or take away one date of an episode; all that counts from it follows, but for what staff `choices` say.

    When the day of surgery moves, or is taken away, each person who gets the patient's mail is told once.
    Raises ValidationError.
    """
    before = records.set_anchor(
        episode=episode, anchor=anchor, on=on, by=by, now=now, reason=reason
    )
    diff = reconcile(episode, now=now, choices=choices)
    if choices:
        audit.record(
            AuditEvent.Action.EXECUTE, "episode.override", by=by, obj=episode, clinic=episode.patient.clinic,
            patient_id=episode.patient_id, reason=reason,
            after={f"{change}: {step}": str(choice) for (change, step), choice in choices.items()},
        )  # fmt: skip
    if anchor == "surgery":
        telling.of_the_date(episode, before, on, now)
    return diff


@transaction.atomic
def hold(
    *,
    episode: Episode,
    by: User,
    now: datetime,
    reason: str,
    step_key: str = "",
    category: str = "",
) -> Diff:
    """Stop a step, a category, or with neither the whole plan (`place_hold`). Raises ValidationError."""
    records.place_hold(
        episode=episode, step_key=step_key, category=category, by=by, now=now, reason=reason
    )
    return reconcile(episode, now=now)


@transaction.atomic
def lift_hold(*, hold: Hold, by: User, now: datetime) -> Diff:
    """Plan again what was held back. What has become too late meanwhile is left out."""
    records.lift_hold(hold=hold, by=by, now=now)
    return reconcile(hold.episode, now=now)


def preview_holds(*, episode: Episode, held: frozenset[str], now: datetime) -> Diff:
    """What holding back exactly `held` would change in the plan. Writes nothing."""
    return preview(episode, now=now, case=replace(case_of(episode, now), holds=held))


@transaction.atomic
def lift_suppression(*, suppression: Suppression, by: User, now: datetime, reason: str) -> bool:
    """Let mail go to an address again. False where it does already. What failed meanwhile is not sent again."""
    lifted = Suppression.objects.filter(pk=suppression.pk, lifted_at=None).update(lifted_at=now)
    if not lifted:
        return False
    people = Patient.objects.filter(
        Q(user__email=suppression.address) | Q(related_people__user__email=suppression.address)
    )
    for patient in people.select_related("clinic").distinct():
        audit.record(
            AuditEvent.Action.UPDATE, "suppression.lift", by=by, obj=suppression, clinic=patient.clinic,
            patient_id=patient.pk, reason=reason,
        )  # fmt: skip
        records.sync_tasks(now=now, kinds=["unreachable", "not_ready"], patient=patient)
    return True


def preview_version(
    *,
    episodes: Iterable[Episode],
    version: PathwayVersion,
    now: datetime,
    resend: frozenset[str] = frozenset(),
) -> dict[UUID, Diff]:
    """What following another version would change in the plan of each episode, by its key. Writes nothing.

    Fetch the episodes with `Episode.objects.for_planning()`: the number of queries does not grow with them.
    """
    return preview_all(list(episodes), now=now, rules=rules_of(version), resend=resend)


@transaction.atomic
def follow_version(
    *,
    episode: Episode,
    version: PathwayVersion,
    by: User | None,
    now: datetime,
    reason: str = "",
    resend: frozenset[str] = frozenset(),
) -> Diff:
    """Let an episode follow another version (`patients.actions.follow_version`) and plan it. Raises ValidationError."""
    records.follow_version(episode=episode, version=version, by=by, now=now, reason=reason)
    return reconcile(episode, now=now, resend=resend)


@transaction.atomic
def move_version(
    *,
    episodes: Iterable[Episode],
    version: PathwayVersion,
    by: User | None,
    now: datetime,
    reason: str = "",
    resend: frozenset[str] = frozenset(),
) -> dict[UUID, Diff]:
    """Let several episodes follow another version, all or none. Raises ValidationError.

    A step that was sent is known by its key and never sent again because the version changed; X-ray
    requests follow by key too. Episodes on the version already are left alone.
    """
    chosen = sorted(
        (row for row in episodes if row.version_id != version.pk), key=lambda row: row.pk
    )
    diffs = {
        row.pk: follow_version(
            episode=row, version=version, by=by, now=now, reason=reason, resend=resend
        )
        for row in chosen
    }
    if diffs:
        audit.record(
            AuditEvent.Action.EXECUTE, "pathway_version.move_episodes", by=by, obj=version,
            clinic=version.clinic, after={"episodes": len(diffs), "version": version.number}, reason=reason,
        )  # fmt: skip
    return diffs


@transaction.atomic
def cancel_surgery(*, episode: Episode, by: User | None, now: datetime, reason: str) -> Diff:
    """Call an operation off: the episode closes, what was planned is dropped, and people are told once."""
    surgery_on = episode.surgery_on
    if not episode.is_open:
        raise ValidationError(_("This episode is closed already."))
    if surgery_on:
        telling.of_a_cancellation(episode, surgery_on, now)
    records.close_episode(
        episode=episode, status=Episode.Status.CANCELLED, by=by, now=now, reason=reason
    )
    return reconcile(episode, now=now)


@transaction.atomic
def answer_wish(*, wish: MoveRequest, by: User, now: datetime, **answer: Any) -> bool:
    """Answer who asked for another time (`patients.actions.answer_move_request`), plan anew, and tell them once.

    False where somebody has answered already. Raises ValidationError.
    """
    if not records.answer_move_request(wish=wish, by=by, now=now, **answer):
        return False
    episode = wish.appointment.episode
    reconcile(episode, now=now)
    telling.of_news(episode, Reminder.Kind.VISIT_ANSWERED, now)
    return True


@transaction.atomic
def reply_to_question(*, response: StepResponse, reply: str, by: User, now: datetime) -> bool:
    """Answer a question (`patients.actions.reply_to_question`) and tell whoever asked. Raises ValidationError."""
    is_first = records.reply_to_question(response=response, reply=reply, by=by, now=now)
    if is_first:
        telling.of_a_reply(response, now)
    return is_first


@transaction.atomic
def send_now(*, reminder: Reminder, by: User, now: datetime) -> None:
    """Let a planned reminder go with the next tick, instead of at its time. Raises ValidationError."""
    moved = Reminder.objects.filter(
        pk=reminder.pk, state__in=("planned", "retrying"), valid_until__gt=now
    ).update(due_at=now)
    if not moved:
        raise ValidationError(_("Only a reminder that is still planned can be sent now."))
    _record("reminder.send_now", reminder, by)


@transaction.atomic
def stop(*, reminder: Reminder, by: User, now: datetime, reason: str) -> None:
    """Take one reminder out of the plan for good; planning does not bring it back. Raises ValidationError."""
    stopped = Reminder.objects.filter(pk=reminder.pk, state__in=("planned", "retrying")).update(
        state=Reminder.State.CANCELLED, reason=STOPPED_BY_STAFF, settled_at=now
    )
    if not stopped:
        raise ValidationError(_("Only a reminder that is still planned can be stopped."))
    Decision.objects.create(
        reminder=reminder,
        decided_at=now,
        outcome=Decision.Outcome.CANCEL,
        gate=STOPPED_BY_STAFF,
        value=reason[:200],
    )
    _record("reminder.stop", reminder, by, reason=reason)


def _record(verb: str, reminder: Reminder, by: User, reason: str = "") -> None:
    patient = reminder.episode.patient
    audit.record(
        AuditEvent.Action.UPDATE, verb, by=by, obj=reminder, clinic=patient.clinic,
        patient_id=patient.id, after={"step": reminder.step_key}, reason=reason,
    )  # fmt: skip


@transaction.atomic
def choose(
    *, user: User, category: str, is_on: bool, by: User | None, now: datetime, reason: str = ""
) -> None:
    """Switch one category of somebody's mail on or off. Essential mails go out all the same."""
    Preference.objects.update_or_create(
        user=user, category=category, defaults={"is_on": is_on, "changed_at": now}
    )
    audit.record(
        AuditEvent.Action.UPDATE, "preference.choose", by=by, obj=user,
        after={"category": category, "is_on": is_on}, reason=reason,
    )  # fmt: skip


class Chosen(NamedTuple):
    """All that a reader chose about their mail. `paused` is the first and the last day, or nothing."""

    wanted: frozenset[str]
    language: str
    time_zone: str
    mail_at: time | None = None
    paused: tuple[date, date] | None = None


def chosen_by(user: User) -> Chosen:
    """What somebody has chosen until now. One query."""
    paused = None
    if user.paused_from and user.paused_until:
        paused = (user.paused_from, user.paused_until)
    wanted = frozenset(Category.values) - set(_switched_off(user=user.pk))
    return Chosen(wanted, user.language, user.time_zone, user.mail_at, paused)


@prepared
def _switched_off() -> QuerySet[Any, str]:
    rows = Preference.objects.filter(user=Blank("user", UUIDField()), is_on=False)
    return rows.values_list("category", flat=True)


@transaction.atomic
def save_settings(
    *, user: User, chosen: Chosen, by: User | None, now: datetime, reason: str = ""
) -> None:
    """Keep what a reader chose. Another zone, or another time of day, moves what is planned for them.

    Choosing what was chosen already changes nothing. `by` is None for a link in a mail. Raises
    ValidationError for an unknown zone.
    """
    changed = chosen.wanted ^ chosen_by(user).wanted
    for category in sorted(changed):
        choose(
            user=user, category=category, is_on=category in chosen.wanted, by=by, now=now, reason=reason,
        )  # fmt: skip
    first, last = chosen.paused or (None, None)
    pause_mail(user=user, starts_on=first, ends_on=last, by=by, reason=reason)
    moves = set_reading(
        user=user, language=chosen.language, time_zone=chosen.time_zone, mail_at=chosen.mail_at, by=by,
        reason=reason,
    )  # fmt: skip
    if moves:
        patients = Patient.objects.own(user).values("id")
        episodes = Episode.objects.open().filter(patient__in=patients)
        records.request_plan(*episodes, reason="user.time_zone", now=now)
