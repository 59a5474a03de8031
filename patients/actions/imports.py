"""Bringing a list in: staged, compared, mended, entered by the same actions as by hand, and taken back.

Long work is done in handfuls by `work`, each in a transaction of its own. It may be cut off
anywhere and run twice, or at once: each handful takes the rows that are still waiting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.db.models import Count, F, ProtectedError
from django.utils.translation import gettext as _

from patients.actions.episodes import open_episode
from patients.actions.notes import Action, today_at
from patients.actions.people import register_patient, set_email, update_patient
from patients.importing import columns, tables
from patients.importing.judging import Judgement, judge
from patients.importing.surroundings import Surroundings, around, offered_at, text_of
from patients.importing.values import contradicts
from patients.models import Episode, ImagingRequest, ImportBatch, ImportRow, Patient
from patients.models.imports import ENTERS
from patients.names import are_alike
from portal import audit
from portal.models import Clinic, Invitation, User

logger = logging.getLogger(__name__)

COMPARED_AT_ONCE = 500
# Small, so that on SQLite nobody waits long for a page while a list is entered.
ENTERED_AT_ONCE = 25
KEPT_FOR = timedelta(days=30)
KEPT_UNENTERED_FOR = timedelta(days=7)
S, V = ImportBatch.Status, ImportRow.Verdict

# What else can say that something was sent about an episode. Mails belong to an app that this one
# must not import; it adds itself when it is ready.
# Given the keys of episodes, each answers with those of which something left.
WAS_SENT: list[Callable[[Collection[UUID]], set[UUID]]] = []


# --- From the file to rows -------------------------------------------------------------------


@transaction.atomic
def stage(
    *, clinic: Clinic, content: bytes, file_name: str, date_order: str, by: User, now: datetime
) -> ImportBatch:
    """Read a list and keep its rows; nothing of it is entered yet. Raises ValidationError for what cannot be read."""
    table = tables.read(content)
    batch = ImportBatch.objects.create(
        clinic=clinic, uploaded_by=by, file_name=file_name[:150], read_as=table.read_as, columns=table.columns,
        mapping=columns.guess(table.columns), date_order=date_order, total=len(table.rows), created_at=now,
    )  # fmt: skip
    ImportRow.objects.bulk_create(
        (
            ImportRow(batch=batch, number=number, cells={str(i): cell for i, cell in enumerate(cells) if cell})
            for number, cells in table.rows
        ),
        batch_size=1_000,
    )  # fmt: skip
    audit.record(
        Action.CREATE, "import.upload", by=by, obj=batch, clinic=clinic, after={"rows": batch.total}
    )
    return batch


@transaction.atomic
def settle_columns(
    *, batch: ImportBatch, mapping: dict[str, int], date_order: str, by: User
) -> None:
    """Say which column holds what, and have every row compared. Raises ValidationError for a missing or double one."""
    missing = [name for name in columns.REQUIRED if name not in mapping]
    if missing:
        raise ValidationError({name: _("Choose the column that holds this.") for name in missing})
    if len(set(mapping.values())) < len(mapping):
        raise ValidationError(_("One column is chosen for two things."))
    open_states = (S.READ, S.READY)
    mixed = _mixed(batch, mapping, date_order)
    changed = ImportBatch.objects.filter(pk=batch.pk, status__in=open_states).update(
        mapping=mapping, date_order=date_order, mixed_columns=mixed, status=S.MATCHING, reached=0
    )
    if not changed:
        raise ValidationError(_("This list is being worked on. Look again in a moment."))
    batch.rows.update(verdict=V.WAITING)
    audit.record(
        Action.UPDATE, "import.settle_columns", by=by, obj=batch, clinic=batch.clinic,
        after={"columns": mapping, "date_order": date_order},
    )  # fmt: skip


def _mixed(batch: ImportBatch, mapping: dict[str, int], date_order: str) -> list[str]:
    """The date columns that hold dates of another order than the list's."""
    names = [name for name in columns.DATES if name in mapping]
    texts: dict[str, list[str]] = {name: [] for name in names}
    for cells in batch.rows.values_list("cells", flat=True).iterator(chunk_size=1_000):
        for name in names:
            texts[name].append(str(cells.get(str(mapping[name]), "")))
    return [name for name in names if contradicts(texts[name], date_order)]


# --- A person's part -------------------------------------------------------------------------


@transaction.atomic
def mend_row(
    *, row: ImportRow, texts: dict[str, str], choice: str, by: User, now: datetime
) -> None:
    """Correct what a row says, or choose what is to become of it, and compare it again. Raises ValidationError."""
    batch = ImportBatch.objects.select_for_update().get(pk=row.batch_id)
    row = ImportRow.objects.select_for_update().get(pk=row.pk)
    if batch.status != S.READY or row.state != row.State.WAITING:
        raise ValidationError(_("This row cannot be changed any more."))
    for name, text in texts.items():
        if text != text_of(row, name, batch):
            row.cells[f"mended:{name}"] = text[: tables.LONGEST_CELL]
    row.choice = choice
    _store_judgements([row], batch, now)
    audit.record(Action.UPDATE, "import.mend_row", by=by, obj=batch, clinic=batch.clinic,
                 after={"line": row.number, "choice": choice})  # fmt: skip


@transaction.atomic
def start_entering(*, batch: ImportBatch, by: User, now: datetime) -> bool:
    """Have every row entered that can be. Returns False where somebody did so before: a list is entered once."""
    waiting = _to_enter(batch).count()
    taken = ImportBatch.objects.filter(pk=batch.pk, status=S.READY).update(
        status=S.COMMITTING, reached=F("total") - waiting, acted_by=by, acted_at=now
    )
    if taken:
        audit.record(Action.EXECUTE, "import.enter", by=by, obj=batch, clinic=batch.clinic,
                     after={"rows": waiting})  # fmt: skip
    return bool(taken)


@transaction.atomic
def start_undoing(*, batch: ImportBatch, by: User, now: datetime, reason: str) -> bool:
    """Have everything taken back that a list entered. Raises ValidationError once mail left about any of it."""
    rows = batch.rows.filter(state=ImportRow.State.DONE)
    for row in _sent(list(rows.select_related("patient"))):
        words = _(
            "Mail was sent about row %(number)d already. The list can no longer be taken back."
        )
        raise ValidationError(words % {"number": row.number})
    taken = ImportBatch.objects.filter(pk=batch.pk, status=S.COMMITTED).update(
        status=S.UNDOING, reached=F("total") - rows.count(), acted_by=by, acted_at=now
    )
    if taken:
        audit.record(
            Action.EXECUTE, "import.undo", by=by, obj=batch, clinic=batch.clinic, reason=reason
        )
    return bool(taken)


# --- The machine's part ----------------------------------------------------------------------


def work(*, batch: ImportBatch, now: datetime, until: Callable[[], bool]) -> None:
    """Carry on with a list until it is done, or `until` says that it is time to stop. `now` is UTC."""
    handful = {S.MATCHING: _compare_some, S.COMMITTING: _enter_some, S.UNDOING: _undo_some}
    while not until():
        with transaction.atomic():
            # Who works on a list holds it; a second worker waits, and takes the next handful.
            batch = ImportBatch.objects.select_for_update().get(pk=batch.pk)
            if not batch.is_moving:
                return
            handful[S(batch.status)](batch, now)


def _compare_some(batch: ImportBatch, now: datetime) -> None:
    rows = list(batch.rows.filter(verdict=V.WAITING).order_by("number")[:COMPARED_AT_ONCE])
    _store_judgements(rows, batch, now)
    _move_on(batch, len(rows), COMPARED_AT_ONCE, S.READY)


def _move_on(batch: ImportBatch, done: int, at_once: int, then: str) -> None:
    batch.reached = min(batch.reached + done, batch.total)
    if done < at_once:
        batch.status, batch.reached = then, batch.total
    batch.save(update_fields=["reached", "status"])


def _store_judgements(rows: list[ImportRow], batch: ImportBatch, now: datetime) -> None:
    """Compare rows with what is recorded, and with the rows before them, and store what came of it."""
    nearby = around(rows, batch, offered_at(batch), today_at(batch.clinic, now))
    firsts = _firsts(rows, batch)
    for row in rows:
        first = firsts.get(text_of(row, "record_number", batch))
        is_second = first is not None and first.number < row.number
        row.follows = first.number if is_second and first else None
        found = judge(row, nearby, follows=is_second)
        if is_second and first and not _is_same_person(first, row, batch):
            found.problems["record_number"] = "twice_in_list"
            found.verdict = V.REFUSED
        row.verdict, row.problems, row.match = found.verdict, found.problems, found.match
        row.changes = _plain(found.changes)
    fields = ["cells", "choice", "verdict", "problems", "changes", "match", "follows"]
    ImportRow.objects.bulk_update(rows, fields, batch_size=100)


def _firsts(rows: list[ImportRow], batch: ImportBatch) -> dict[str, ImportRow]:
    """For the record numbers of these rows, the first row of the list that gives each."""
    wanted = {text_of(row, "record_number", batch) for row in rows} - {""}
    column = str(batch.mapping["record_number"])
    lines = batch.rows.filter(number__lte=max((row.number for row in rows), default=0))
    found: dict[str, ImportRow] = {}
    for key, number, cells in lines.order_by("number").values_list("pk", "number", "cells"):
        text = str(cells.get("mended:record_number", cells.get(column, "")))
        if text in wanted and text not in found:
            found[text] = ImportRow(pk=key, batch=batch, number=number, cells=cells)
    return found


def _is_same_person(one: ImportRow, other: ImportRow, batch: ImportBatch) -> bool:
    """Whether two rows with one record number can be one person: born on the same day, alike by name."""

    def name(row: ImportRow) -> tuple[str, str]:
        return text_of(row, "given_name", batch), text_of(row, "family_name", batch)

    born = {text_of(row, "birth_date", batch) for row in (one, other)}
    return len(born) == 1 and are_alike(name(one), name(other))


def _plain(changes: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        name: [str(v) if isinstance(v, date) else v for v in pair] for name, pair in changes.items()
    }


def _to_enter(batch: ImportBatch) -> Any:
    rows = batch.rows.filter(state=ImportRow.State.WAITING, verdict__in=ENTERS)
    return rows.exclude(choice=ImportRow.Choice.LEAVE_OUT).order_by("number")


def _enter_some(batch: ImportBatch, now: datetime) -> None:
    rows = list(_to_enter(batch)[:ENTERED_AT_ONCE])
    nearby = around(rows, batch, offered_at(batch), today_at(batch.clinic, now))
    for row in rows:
        _enter(row, nearby, now)
    _move_on(batch, len(rows), ENTERED_AT_ONCE, S.COMMITTED)


def _enter(row: ImportRow, nearby: Surroundings, now: datetime) -> None:
    """Enter one row, or note why not; whatever goes wrong with it stays inside it."""
    try:
        with transaction.atomic():
            found = judge(row, nearby)
            if (found.verdict, _plain(found.changes)) != (row.verdict, row.changes):
                raise ValidationError(_why_not(found))
            _act(row, found, nearby, now)
            row.state = row.State.DONE
    except ValidationError as error:
        row = _failed(row, " ".join(error.messages))
    except DatabaseError:
        # The row's own number is enough to find it; what it says stays out of logs.
        logger.warning("row %s of import %s could not be entered", row.number, row.batch_id)
        row = _failed(row, "unexpected")
    row.save()


def _why_not(found: Judgement) -> str:
    if found.verdict == V.LIKELY:
        return "likely_now"
    return next(iter(found.problems.values()), "changed_since")


def _failed(row: ImportRow, problem: str) -> ImportRow:
    """The row as it was before it was tried, with what stood in its way."""
    row = ImportRow.objects.get(pk=row.pk)
    row.state, row.problems = row.State.FAILED, {"": problem}
    return row


def _act(row: ImportRow, found: Judgement, nearby: Surroundings, now: datetime) -> None:
    by, values = nearby.batch.acted_by, found.values
    if found.match is None:
        row.is_new_patient = True
        row.is_new_account = bool(values["email"]) and values["email"] not in nearby.logins
        patient = _register(values, nearby.batch.clinic, by, now)
        nearby.add(patient)
    else:
        patient = found.match
        row.before = {name: old for name, (old, _new) in row.changes.items()}
        row.is_new_account = "email" in found.changes and values["email"] not in nearby.logins
        _change(patient, {name: new for name, (_old, new) in found.changes.items()}, by, now)
    row.patient = patient
    if found.books and found.version is not None:
        row.episode = open_episode(
            patient=patient, version=found.version, side=values["side"], surgery_on=values["surgery_on"],
            surgeon=found.surgeon, by=by, now=now,
        )  # fmt: skip
        nearby.episodes[patient.pk].append(row.episode)


def _register(values: dict[str, Any], clinic: Clinic, by: User | None, now: datetime) -> Patient:
    names = ("record_number", "given_name", "family_name", "birth_date", "email", "phone")
    return register_patient(
        clinic=clinic, by=by, now=now, uses_nicotine=bool(values["uses_nicotine"]),
        **{name: values[name] for name in names},
    )  # fmt: skip


def _change(patient: Patient, new: dict[str, Any], by: User | None, now: datetime) -> None:
    email = new.pop("email", "")
    if new:
        update_patient(patient=patient, by=by, now=now, **new)
    if email:
        set_email(patient=patient, email=email, by=by, now=now)


# --- Taking back -----------------------------------------------------------------------------


def _sent(rows: list[ImportRow]) -> list[ImportRow]:
    """The rows about which anything left: a mail of the plan, or an invitation to the login that the row made."""
    episodes = {row.episode_id for row in rows if row.episode_id}
    told = {key for asked in WAS_SENT for key in asked(episodes)}
    accounts = {row.patient.user_id for row in rows if row.patient and row.is_new_account}
    invited = set(Invitation.objects.filter(user__in=accounts).values_list("user_id", flat=True))
    return [
        row
        for row in rows
        if row.episode_id in told
        or (row.is_new_account and row.patient and row.patient.user_id in invited)
    ]


def _undo_some(batch: ImportBatch, now: datetime) -> None:
    """Take a handful back together; where one of them has to stay, each on its own."""
    rows = batch.rows.filter(state=ImportRow.State.DONE).order_by("-number")
    some = list(rows.select_related("patient__user", "patient__clinic")[:ENTERED_AT_ONCE])
    try:
        with transaction.atomic():
            _take_back(some, batch, now)
    except (ValidationError, ProtectedError):
        for row in some:
            _undo(row, batch, now)
    _move_on(batch, len(some), ENTERED_AT_ONCE, S.UNDONE)


def _undo(row: ImportRow, batch: ImportBatch, now: datetime) -> None:
    """Take one row back, or note why it stays."""
    try:
        with transaction.atomic():
            _take_back([row], batch, now)
    except ValidationError as error:
        _kept(row, " ".join(error.messages)).save()
    except ProtectedError:
        _kept(row, "in_use").save()


def _kept(row: ImportRow, problem: str) -> ImportRow:
    """The row as it was before it was tried to take it back, with what stood in the way."""
    row = ImportRow.objects.get(pk=row.pk)
    row.state, row.problems = row.State.KEPT, {"": problem}
    return row


def _take_back(rows: list[ImportRow], batch: ImportBatch, now: datetime) -> None:
    """Undo what these rows did. Raises ValidationError or ProtectedError where one of them has to stay."""
    if _sent(rows):
        raise ValidationError("sent_already")
    for row in rows:
        audit.record(
            Action.DELETE, "import.take_back", by=batch.acted_by, obj=row, clinic=batch.clinic,
            patient_id=row.patient_id, before={"line": row.number, "episode": str(row.episode_id or "")},
        )  # fmt: skip
    episodes = Episode.objects.filter(pk__in=[row.episode_id for row in rows if row.episode_id])
    ImagingRequest.objects.filter(episode__in=episodes, appointment=None).delete()
    episodes.delete()
    mine = [row for row in rows if row.is_new_patient and row.patient]
    Patient.objects.filter(pk__in=[row.patient_id for row in mine]).delete()
    made = [row.patient.user_id for row in mine if row.patient and row.is_new_account]
    _forget_accounts(made)
    for row in rows:
        if row.patient is not None and not row.is_new_patient:
            _put_back(row, row.patient, batch.acted_by, now)
    ImportRow.objects.filter(pk__in=[row.pk for row in rows]).update(state=ImportRow.State.UNDONE)


def _put_back(row: ImportRow, patient: Patient, by: User | None, now: datetime) -> None:
    """Set back what the row changed, where nobody has changed it again since."""
    new = {name: pair[1] for name, pair in row.changes.items()}
    old = {
        name: value
        for name, value in row.before.items()
        if name != "email" and getattr(patient, name) == new[name]
    }
    if old:
        update_patient(patient=patient, by=by, now=now, **old)
    if row.before.get("email") and patient.user and patient.user.email == new["email"]:
        set_email(patient=patient, email=row.before["email"], by=by, now=now)
    elif "email" in row.before and not row.before["email"] and row.is_new_account:
        made, patient.user = patient.user_id, None
        patient.save(update_fields=["user"])
        _forget_accounts([made])


def _forget_accounts(keys: Collection[Any]) -> None:
    """Remove logins that rows made, and that nobody has used."""
    unused = User.objects.filter(pk__in=keys, last_login=None, is_staff=False)
    unused.filter(cares_for=None, patient=None).delete()


def empty_old(*, now: datetime) -> int:
    """Delete the rows of lists that have lain long enough. Returns of how many lists. `now` is UTC."""
    filled = ImportBatch.objects.filter(emptied_at=None)
    old = filled.filter(created_at__lt=now - KEPT_FOR) | filled.filter(
        created_at__lt=now - KEPT_UNENTERED_FOR, status__in=(S.READ, S.MATCHING, S.READY)
    )
    emptied = 0
    for batch in old:
        with transaction.atomic():
            ImportRow.objects.filter(batch=batch).delete()
            batch.emptied_at = now
            batch.save(update_fields=["emptied_at"])
            audit.record(Action.DELETE, "import.empty", by=None, obj=batch, clinic=batch.clinic)
        emptied += 1
    return emptied


def counted(batch: ImportBatch) -> dict[str, int]:
    """How many rows came to what: by verdict and choice before the list is entered, by state from then on."""
    has_begun = batch.status in {S.COMMITTING, S.COMMITTED, S.UNDOING, S.UNDONE}
    groups = batch.rows.order_by().values_list("verdict", "choice", "state").annotate(Count("pk"))
    found: dict[str, int] = {}
    for verdict, choice, state, number in groups:
        is_out = choice == ImportRow.Choice.LEAVE_OUT
        kind = str(ImportRow.Choice.LEAVE_OUT if is_out else verdict)
        key = state if has_begun and state != ImportRow.State.WAITING else kind
        found[key] = found.get(key, 0) + number
    return found
