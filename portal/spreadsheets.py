"""Tables that staff take away as CSV, so that no cell can act as a formula where it is opened."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import HttpResponse
from django.utils.http import content_disposition_header

# What spreadsheets take for the beginning of a formula (OWASP, CSV Injection), also in full width.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
# Without it some spreadsheets read the letters of another alphabet wrongly.
_BYTE_ORDER_MARK = "\ufeff"


def plain(value: Any) -> str:
    """A cell that stays text: what could be a formula is led by an apostrophe."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def as_csv(name: str, heads: Sequence[Any], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """A CSV file (RFC 4180, UTF-8) to keep."""
    headers = {
        "Content-Disposition": content_disposition_header(True, f"{name}.csv") or "",
        "X-Content-Type-Options": "nosniff",
    }
    text = "".join(_lines(heads, rows))
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)


def _lines(heads: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield _BYTE_ORDER_MARK + _line(heads)
    for row in rows:
        yield _line(row)


def _line(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([plain(cell) for cell in cells])
    return out.getvalue()
