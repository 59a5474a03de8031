"""Reads an uploaded list into lines of text, whatever program wrote it, and within limits that no file can exceed."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MOST_BYTES = 5 * 1024 * 1024
# A workbook of 10,000 rows unpacks to some ten megabytes; a bomb to many gigabytes.
MOST_BYTES_UNPACKED = 80 * 1024 * 1024
MOST_ROWS = 10_000
MOST_COLUMNS = 60
LONGEST_CELL = 500
_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_SEPARATORS = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "bars"}
_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_LINES_COMPARED = 50


@dataclass(frozen=True, slots=True)
class Table:
    """A list as it was read: the names of its columns, and its lines with their numbers in the file."""

    columns: list[str]
    rows: list[tuple[int, list[str]]]
    read_as: str


def read(content: bytes) -> Table:
    """Read CSV or an Excel workbook, told by its content. Raises ValidationError in words for people."""
    if len(content) > MOST_BYTES:
        raise ValidationError(_("The file is larger than 5 MB. Please split the list."))
    if content.startswith(_OLD_EXCEL):
        raise ValidationError(
            _("This is an old Excel file (.xls). Save it as .xlsx or as CSV, and try again.")
        )
    lines, read_as = _workbook(content) if content.startswith(_ZIP) else _csv(content)
    return _table(lines, read_as)


def _table(lines: Iterable[list[str]], read_as: str) -> Table:
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if any(line))
    try:
        _number, columns = next(numbered)
    except StopIteration:
        raise ValidationError(_("The file is empty.")) from None
    while columns and not columns[-1]:
        columns.pop()
    if len(columns) > MOST_COLUMNS:
        raise ValidationError(_("The list has more than 60 columns."))
    rows = _cells(numbered, len(columns))
    if not rows:
        raise ValidationError(_("The list has a header and no rows."))
    return Table([name[:LONGEST_CELL] for name in columns], rows, read_as)


def _cells(numbered: Iterable[tuple[int, list[str]]], width: int) -> list[tuple[int, list[str]]]:
    rows: list[tuple[int, list[str]]] = []
    for number, line in numbered:
        if len(rows) == MOST_ROWS:
            raise ValidationError(_("The list has more than 10,000 rows. Please split it."))
        cells = [cell[:LONGEST_CELL] for cell in line[:width]]
        rows.append((number, cells + [""] * (width - len(cells))))
    return rows


# --- CSV -------------------------------------------------------------------------------------


def _csv(content: bytes) -> tuple[Iterator[list[str]], str]:
    text, encoding = _decoded(content)
    separator = _separator(text)
    return _csv_lines(text, separator), f"CSV, {encoding}, {_SEPARATORS[separator]}"


def _decoded(content: bytes) -> tuple[str, str]:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            try:
                return content.decode(encoding), encoding.removesuffix("-sig")
            except UnicodeDecodeError:
                break
    if b"\x00" in content:
        raise ValidationError(_("This is neither a CSV file nor an Excel workbook."))
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1"), "latin-1"


def _separator(text: str) -> str:
    """The sign that parts the first lines into the most columns, the same number in nearly each of them."""
    return max(_SEPARATORS, key=lambda sign: _columns_with(text, sign))


def _columns_with(text: str, separator: str) -> tuple[int, int]:
    widths = []
    for line in _csv_lines(text, separator):
        if any(line):
            widths.append(len(line))
        if len(widths) == _LINES_COMPARED:
            break
    if not widths or widths[0] == 1:
        return 0, 0
    return sum(width == widths[0] for width in widths) * 100 // len(widths), widths[0]


def _csv_lines(text: str, separator: str) -> Iterator[list[str]]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        for line in lines:
            yield [cell.strip().replace("\x00", "") for cell in line]
    except csv.Error as error:
        raise ValidationError(
            _("Line %(number)d cannot be read.") % {"number": lines.line_num}
        ) from error


# --- Workbooks -------------------------------------------------------------------------------


def _workbook(content: bytes) -> tuple[Iterator[list[str]], str]:
    # Ten MiB, which a process that only sends mail would hold for nothing.
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        _refuse_bomb(content)
        book = openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=True, keep_links=False
        )
        sheet = next(each for each in book.worksheets if each.sheet_state == "visible")
        sheet.reset_dimensions()
        # Read to its end here: what is wrong inside shows only while reading.
        lines = list(_sheet_lines(sheet))
    except ValidationError:
        raise
    except (
        zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, StopIteration, ParseError, DefusedXmlException,
        OSError, TypeError, IndexError, AttributeError, EOFError,
    ) as error:  # fmt: skip
        # openpyxl meets a broken workbook with whatever its broken part leads to.
        raise ValidationError(_("This workbook cannot be read. Save it as CSV.")) from error
    return iter(lines), f"Excel, {sheet.title}"[:60]


def _refuse_bomb(content: bytes) -> None:
    """Raises ValidationError for a packed file that would unpack to more than any list needs."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        parts = packed.infolist()
        if len(parts) > 2_000 or sum(part.file_size for part in parts) > MOST_BYTES_UNPACKED:
            raise ValidationError(_("This workbook is too large when it is unpacked."))
        for part in parts:
            # What the directory says can be a lie; what comes out is counted.
            with packed.open(part) as file:
                left = part.file_size
                while block := file.read(1 << 20):
                    left -= len(block)
                    if left < 0:
                        raise ValidationError(_("This workbook cannot be read. Save it as CSV."))


def _sheet_lines(sheet: Any) -> Iterator[list[str]]:
    rows = sheet.iter_rows(max_row=MOST_ROWS + 100, max_col=MOST_COLUMNS + 1, values_only=True)
    for row in rows:
        yield [_text(value) for value in row]


def _text(value: Any) -> str:
    """A cell as text. A day is written so that it can be read in one way only."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
