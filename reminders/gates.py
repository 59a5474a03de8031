"""The questions asked of a reminder at the moment of sending, each with its answer in words.

`Surroundings.of` reads what they need for a whole batch in a constant number of queries; the gates
themselves are pure. The first gate that objects decides; the decision and its value are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import CharField, DateTimeField, QuerySet, UUIDField

from patients.models import ExerciseLog, PlanRequest, Prescription, RelatedPerson, StepResponse
from portal.prepared import Blank, Listed, prepared
from procedures.conditions import holds
from reminders.models import Decision, Message, Preference, Reminder, Suppression
from reminders.planner import next_in_window

EXERCISES_LOGGED_TODAY = "exercises_logged_today"
# What changed since is waited for: for so long it may take until the plan is worked out again.
PLANNING_TAKES = timedelta(minutes=15)
LOOK_AGAIN_IN = timedelta(minutes=1)

_KEYS = Listed("keys", UUIDField())
_SINCE = Blank("since", DateTimeField())


class Verdict(NamedTuple):
    """What a gate decided. `until` (UTC) is set when the reminder has to wait."""

    outcome: Decision.Outcome
    gate: str
    value: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the gates need to know beside the reminders themselves."""

    now: datetime
    live_links: frozenset[tuple[UUID, UUID]]
    switched_off: frozenset[tuple[UUID, str]]
    suppressed: frozenset[str]
    done: frozenset[tuple[UUID, str, int]]
    done_on: frozenset[tuple[UUID, str, date]]
    sent: Counter[tuple[UUID, date]]
    exercised: frozenset[tuple[UUID, date]] = frozenset()
    changing: frozenset[UUID] = frozenset()

    @classmethod
    def of(cls, reminders: Collection[Reminder], now: datetime) -> Surroundings:
        """Read for a batch, fetched with `pipeline.load`. `now` is UTC. Six queries.

        Two more where a row ends with the day's exercises.
        """
        people = {row.recipient_id for row in reminders}
        zones = {row.episode_id: row.episode.patient.clinic.zone for row in reminders}
        done, done_on = _done(zones)
        return cls(
            now=now,
            live_links=_live_links(people, now),
            switched_off=frozenset(_switched_off(keys=people)),
            suppressed=frozenset(_suppressed(addresses={row.recipient.email for row in reminders})),
            done=done,
            done_on=done_on,
            sent=_sent({row.recipient_id: row.reader_zone for row in reminders}, now),
            exercised=_exercised({row.episode_id for row in reminders if is_daily(row)}, now),
            changing=frozenset(_changing(keys=zones, since=now - PLANNING_TAKES)),
        )


@prepared
def _changing() -> QuerySet[PlanRequest, UUID]:
    """The episodes that changed a short while ago and whose plan has not been worked out again."""
    rows = PlanRequest.objects.filter(episode__in=_KEYS, requested_at__gt=_SINCE).order_by()
    return rows.values_list("episode_id", flat=True)


@prepared
def _switched_off() -> QuerySet[Preference, tuple[UUID, str]]:
    rows = Preference.objects.filter(user__in=_KEYS, is_on=False).order_by()
    return rows.values_list("user_id", "category")


@prepared
def _links() -> QuerySet[RelatedPerson, tuple[Any, ...]]:
    rows = RelatedPerson.objects.filter(user__in=_KEYS, ended_at__isnull=True).order_by()
    return rows.values_list(
        "user_id", "patient_id", "starts_on", "ends_on", "patient__clinic__time_zone"
    )


def _live_links(people: set[UUID], now: datetime) -> frozenset[tuple[UUID, UUID]]:
    live = set()
    for user_id, patient_id, starts_on, ends_on, zone in _links(keys=people):
        today = now.astimezone(ZoneInfo(zone)).date()
        if starts_on <= today and (ends_on is None or today < ends_on):
            live.add((user_id, patient_id))
    return frozenset(live)


@prepared
def _suppressed() -> QuerySet[Suppression, str]:
    addresses = Listed("addresses", CharField())
    rows = Suppression.objects.filter(address__in=addresses, lifted_at__isnull=True)
    return rows.order_by().values_list("address", flat=True)


@prepared
def _responses() -> QuerySet[StepResponse, tuple[Any, ...]]:
    rows = StepResponse.objects.filter(episode__in=_KEYS, answer=StepResponse.Answer.DONE)
    return rows.order_by().values_list("episode_id", "step__key", "occurrence", "answered_at")


def _done(
    zones: dict[UUID, ZoneInfo],
) -> tuple[frozenset[tuple[UUID, str, int]], frozenset[tuple[UUID, str, date]]]:
    done, done_on = set(), set()
    for episode_id, key, occurrence, moment in _responses(keys=zones):
        done.add((episode_id, key, occurrence))
        done_on.add((episode_id, key, moment.astimezone(zones[episode_id]).date()))
    return frozenset(done), frozenset(done_on)


def is_daily(row: Reminder) -> bool:
    """Whether this is the reminder that the day's exercises end."""
    step = row.step
    return step is not None and step.ends_when == EXERCISES_LOGGED_TODAY


def _exercised(episodes: set[UUID], now: datetime) -> frozenset[tuple[UUID, date]]:
    """The episodes and days on which each exercise that is prescribed now was done at least once.

    A first round is enough: who has begun the day's exercises needs nobody to remind them. Days are the
    clinic's; the days round `now` hold today in any zone.
    """
    near = (now - timedelta(days=1)).date(), (now + timedelta(days=1)).date()
    logs = ExerciseLog.objects.filter(prescription__episode__among=episodes, on__range=near)
    done = set(logs.values_list("prescription_id", "on"))
    wanted: dict[tuple[UUID, date], bool] = {}
    standing = Prescription.objects.standing().filter(episode__among=episodes)
    for pk, episode, first, last in standing.values_list(
        "pk", "episode_id", "starts_on", "last_on"
    ):
        for day in {day for _, day in done}:
            if first <= day and (last is None or day <= last):
                wanted[episode, day] = wanted.get((episode, day), True) and (pk, day) in done
    return frozenset(key for key, is_done in wanted.items() if is_done)


def _sent(zones: dict[UUID, ZoneInfo], now: datetime) -> Counter[tuple[UUID, date]]:
    """How many mails each person got on each of their local days lately."""
    return Counter(
        (person, sent_at.astimezone(zones[person]).date())
        for person, sent_at in _sent_since(keys=zones, since=now - timedelta(hours=26))
        if sent_at is not None
    )


@prepared
def _sent_since() -> QuerySet[Message, tuple[UUID, datetime | None]]:
    rows = Message.objects.filter(recipient__in=_KEYS, sent_at__gt=_SINCE).order_by()
    return rows.values_list("recipient_id", "sent_at")


@lru_cache(maxsize=256)
def day_in(zone: ZoneInfo, now: datetime) -> date:
    """The local day at a moment. A batch is judged at one moment, in few zones."""
    return now.astimezone(zone).date()


_opens_at = lru_cache(maxsize=256)(next_in_window)


# Notices whose cause is what holds up everything else.
_OF_WHAT_IS_OFF = frozenset({Reminder.Kind.SURGERY_CANCELLED, Reminder.Kind.VISIT_CANCELLED})


def patient_is_contactable(row: Reminder, around: Surroundings) -> Verdict | None:
    """Nothing goes out about somebody who died, or about whom nobody may be written to."""
    patient = row.episode.patient
    if patient.deceased_on is not None:
        return Verdict(Decision.Outcome.CANCEL, "patient_deceased")
    return Verdict(Decision.Outcome.CANCEL, "no_contact") if patient.is_restricted else None


def episode_is_open(row: Reminder, around: Surroundings) -> Verdict | None:
    """A closed episode sends nothing but the word of what was cancelled with it."""
    if row.episode.is_open or row.kind in _OF_WHAT_IS_OFF:
        return None
    return Verdict(Decision.Outcome.CANCEL, "episode_closed", row.episode.status)


def recipient_has_access(row: Reminder, around: Surroundings) -> Verdict | None:
    """The patient, or a carer whose access holds today."""
    if not row.recipient.is_active:
        return Verdict(Decision.Outcome.CANCEL, "account_closed")
    if row.recipient_id == row.episode.patient.user_id:
        return None
    if (row.recipient_id, row.episode.patient_id) in around.live_links:
        return None
    return Verdict(Decision.Outcome.CANCEL, "access_ended")


def appointment_is_booked(row: Reminder, around: Surroundings) -> Verdict | None:
    """Nobody is reminded of an appointment that will not take place."""
    appointment = row.appointment
    if appointment is None or row.kind in _OF_WHAT_IS_OFF:
        return None
    if appointment.status == appointment.Status.BOOKED:
        return None
    return Verdict(Decision.Outcome.CANCEL, "appointment_off", appointment.status)


def condition_still_holds(row: Reminder, around: Surroundings) -> Verdict | None:
    """Someone who gave up smoking long ago is not told to give it up."""
    if row.step is None or not row.step.condition:
        return None
    on = row.episode.anchors.get("surgery") or around.now.astimezone(row.reader_zone).date()
    if holds(row.step.condition, row.episode.patient.attributes(on)):
        return None
    return Verdict(Decision.Outcome.SKIP, "not_for_this_patient", ", ".join(row.step.condition))


def not_done_yet(row: Reminder, around: Surroundings) -> Verdict | None:
    """What is done, or done for today, is not asked for again."""
    if row.step is None:
        return None
    if (row.episode_id, row.step_key, row.occurrence) in around.done:
        return Verdict(Decision.Outcome.SKIP, "already_done")
    if not is_daily(row):
        return None
    today = around.now.astimezone(row.episode.patient.clinic.zone).date()
    is_done = (row.episode_id, row.step_key, today) in around.done_on
    if is_done or (row.episode_id, today) in around.exercised:
        return Verdict(Decision.Outcome.SKIP, "already_done", "today")
    return None


def wanted(row: Reminder, around: Surroundings) -> Verdict | None:
    """A category somebody switched off stays off, except for what is essential."""
    if row.is_essential or (row.recipient_id, row.category) not in around.switched_off:
        return None
    return Verdict(Decision.Outcome.SKIP, "switched_off", row.category)


def not_paused(row: Reminder, around: Surroundings) -> Verdict | None:
    """Who is on holiday gets nothing that can wait. It stays in the login, and is not sent in a heap afterwards."""
    if row.is_essential or row.recipient.paused_from is None:
        return None
    if not row.recipient.is_paused(day_in(row.reader_zone, around.now)):
        return None
    return Verdict(Decision.Outcome.SKIP, "paused", str(row.recipient.paused_until))


def address_is_usable(row: Reminder, around: Surroundings) -> Verdict | None:
    """An address known not to exist is not tried again."""
    if row.recipient.email not in around.suppressed:
        return None
    return Verdict(Decision.Outcome.FAIL, "address_suppressed")


def still_valid(row: Reminder, around: Surroundings) -> Verdict | None:
    """A stale instruction does more harm than none."""
    if around.now < row.valid_until:
        return None
    return Verdict(Decision.Outcome.MISS, "too_old", row.valid_until.isoformat())


def plan_is_up_to_date(row: Reminder, around: Surroundings) -> Verdict | None:
    """What changed a moment ago may move this one, or take it out: its plan is worked out first.

    A plan that cannot be worked out holds mail up for PLANNING_TAKES and no longer.
    """
    if row.step_id is None or row.episode_id not in around.changing:
        return None
    return _wait(row, "plan_changing", around.now + LOOK_AGAIN_IN)


def inside_sending_window(row: Reminder, around: Surroundings) -> Verdict | None:
    """No mail at night, by the recipient's own clock."""
    clinic = row.episode.patient.clinic
    opens = _opens_at(around.now, row.reader_zone.key, (clinic.sending_from, clinic.sending_until))
    return None if opens <= around.now else _wait(row, "sending_window", opens)


def under_daily_cap(row: Reminder, around: Surroundings) -> Verdict | None:
    """A limit on mails a day, so that no fault can ever flood somebody."""
    if row.is_essential:
        return None
    clinic, zone = row.episode.patient.clinic, row.reader_zone
    today = day_in(zone, around.now)
    if around.sent[row.recipient_id, today] < clinic.daily_cap:
        return None
    tomorrow = datetime.combine(today + timedelta(days=1), clinic.sending_from, zone)
    return _wait(row, "daily_cap", tomorrow.astimezone(around.now.tzinfo), str(clinic.daily_cap))


def _wait(row: Reminder, gate: str, until: datetime, value: str = "") -> Verdict:
    if until >= row.valid_until:
        return Verdict(Decision.Outcome.MISS, gate, value)
    return Verdict(Decision.Outcome.WAIT, gate, value or until.isoformat(), until)


def count_mail(row: Reminder, around: Surroundings) -> None:
    """Count one more mail to the row's reader today."""
    around.sent[row.recipient_id, day_in(row.reader_zone, around.now)] += 1


Gate = Callable[[Reminder, Surroundings], Verdict | None]

GATES: tuple[Gate, ...] = (
    patient_is_contactable,
    episode_is_open,
    recipient_has_access,
    appointment_is_booked,
    condition_still_holds,
    not_done_yet,
    wanted,
    not_paused,
    address_is_usable,
    still_valid,
    plan_is_up_to_date,
    inside_sending_window,
    under_daily_cap,
)


def decide(row: Reminder, around: Surroundings) -> Verdict:
    """The verdict of the first gate that objects; without an objection, to send."""
    for gate in GATES:
        verdict = gate(row, around)
        if verdict is not None:
            return verdict
    return Verdict(Decision.Outcome.SEND, "all_gates")
