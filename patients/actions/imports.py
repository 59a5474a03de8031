"""Bringing a list in: staged, compared and mended; `entering` and `taking_back` do what the machine does with it.

Long work is done in handfuls by `work`, each in a transaction of its own. It may be cut off
anywhere and run twice, or at once: each handful takes the rows that are still waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, F
from django.utils.translation import gettext as _

from patients.actions import entering, taking_back
from patients.actions.entering import plain, to_enter, write
from patients.actions.notes import Action, today_at
from patients.actions.taking_back import sent_about
from patients.importing import columns, tables
from patients.importing.judging import judge
from patients.importing.surroundings import around, offered_at, text_of
from patients.importing.twins import twins_of
from patients.importing.values import contradicts
from patients.models import ImportBatch, ImportRow
from patients.names import are_alike
from portal import audit
from portal.models import Clinic, User

COMPARED_AT_ONCE = 500
KEPT_FOR = timedelta(days=30)
KEPT_UNENTERED_FOR = timedelta(days=7)
S, V = ImportBatch.Status, ImportRow.Verdict


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
    waiting = to_enter(batch).count()
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
    for row in sent_about(rows.select_related("patient")):
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
    lines = _lines(rows, batch)
    firsts, twins = _firsts(lines, batch), twins_of(rows, lines, batch)
    for row in rows:
        first = firsts.get(text_of(row, "record_number", batch))
        is_second = first is not None and first.number < row.number
        row.follows = first.number if is_second and first else None
        found = judge(row, nearby, follows=is_second)
        if is_second and first and not _is_same_person(first, row, batch):
            found.problems["record_number"] = "twice_in_list"
            found.verdict = V.REFUSED
        elif found.verdict == V.NEW and row.pk in twins and row.choice != row.Choice.NEW_PERSON:
            found.verdict, found.problems = V.LIKELY, {"": f"twin_in_list:{twins[row.pk]}"}
        row.verdict, row.problems, row.match = found.verdict, found.problems, found.match
        row.changes = plain(found.changes)
    write(rows, ["cells", "choice", "verdict", "problems", "changes", "match", "follows"])


def _lines(rows: list[ImportRow], batch: ImportBatch) -> list[ImportRow]:
    """The rows of the list up to the last of these, with what they say and no more. One query."""
    last = max((row.number for row in rows), default=0)
    found = batch.rows.filter(number__lte=last).order_by("number")
    return [
        ImportRow(pk=key, batch=batch, number=number, cells=cells, choice=choice)
        for key, number, cells, choice in found.values_list("pk", "number", "cells", "choice")
    ]


def _firsts(lines: list[ImportRow], batch: ImportBatch) -> dict[str, ImportRow]:
    """The first row of the list that gives each record number."""
    found: dict[str, ImportRow] = {}
    for line in lines:
        if number := text_of(line, "record_number", batch):
            found.setdefault(number, line)
    return found


def _is_same_person(one: ImportRow, other: ImportRow, batch: ImportBatch) -> bool:
    """Whether two rows with one record number can be one person: born on the same day, alike by name."""

    def name(row: ImportRow) -> tuple[str, str]:
        return text_of(row, "given_name", batch), text_of(row, "family_name", batch)

    born = {text_of(row, "birth_date", batch) for row in (one, other)}
    return len(born) == 1 and are_alike(name(one), name(other))


def _enter_some(batch: ImportBatch, now: datetime) -> None:
    _move_on(batch, entering.enter_some(batch, now), entering.AT_ONCE, S.COMMITTED)


def _undo_some(batch: ImportBatch, now: datetime) -> None:
    _move_on(batch, taking_back.undo_some(batch, now), taking_back.AT_ONCE, S.UNDONE)


# --- What is left of it ----------------------------------------------------------------------


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
