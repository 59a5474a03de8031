"""A patient's data as a PDF file, with the fonts that every reader has: letters of western European languages."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from patients.care import Care
from portal.day_words import date_format
from procedures.pdf import BODY, CHAPTER, SMALL, TITLE, Sheets
from reminders.export import Part


def parts_as_pdf(parts: Iterable[Part], care: Care) -> bytes:
    """Every part as a chapter, every row as a paragraph."""
    title = _("Data about %(name)s") % {"name": care.patient.name if care.patient else ""}
    sheets = Sheets(title)
    sheets.set_lang(care.reader.language)
    sheets.add_page()
    sheets.line_of(title, TITLE, style="B")
    sheets.line_of(date_format(care.today, "j F Y"), SMALL)
    for part in parts:
        if part.rows:
            sheets.ln(4)
            sheets.line_of(part.title, CHAPTER, style="B")
        for row in part.rows:
            sheets.line_of("\n".join(f"{one.label}: {one.words}" for one in row), BODY)
            sheets.ln(2)
    return bytes(sheets.output())
