"""Rows of one list that may be the same person under two record numbers: alike by name, born on the same day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from patients.importing.surroundings import date_in, text_of
from patients.importing.values import Unread
from patients.models import ImportBatch, ImportRow
from patients.names import are_alike


def twins_of(
    rows: Iterable[ImportRow], lines: Iterable[ImportRow], batch: ImportBatch
) -> dict[int, int]:
    """For each of these rows, the number of the first row before it in the list that may be the same person.

    `lines` are the rows of the list up to the last of these, in their order. What is left out is nobody's twin.
    """
    wanted = {day for row in rows if (day := _born(row, batch))}
    same_day: dict[date, list[ImportRow]] = defaultdict(list)
    for line in lines:
        day = _born(line, batch)
        if day in wanted and line.choice != ImportRow.Choice.LEAVE_OUT:
            same_day[day].append(line)
    found = (
        (row.pk, _twin(row, same_day[day], batch)) for row in rows if (day := _born(row, batch))
    )
    return {key: number for key, number in found if number is not None}


def _born(row: ImportRow, batch: ImportBatch) -> date | None:
    try:
        return date_in(text_of(row, "birth_date", batch), "birth_date", batch)
    except Unread:
        return None


def _twin(row: ImportRow, others: Iterable[ImportRow], batch: ImportBatch) -> int | None:
    mine = text_of(row, "record_number", batch)
    for other in others:
        is_before = other.number < row.number and text_of(other, "record_number", batch) != mine
        if is_before and are_alike(_name(row, batch), _name(other, batch)):
            return other.number
    return None


def _name(row: ImportRow, batch: ImportBatch) -> tuple[str, str]:
    return text_of(row, "given_name", batch), text_of(row, "family_name", batch)
