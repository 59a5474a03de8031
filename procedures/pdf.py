"""A guide as a PDF file, made here from the same sections as the pages. Nothing is fetched: no pictures, no fonts.

The fonts are those that every PDF reader has; they hold the letters of western European languages. What they
cannot write is refused, never spoilt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from django.utils.html import escape
from django.utils.translation import gettext as _
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from portal.day_words import date_format
from procedures.guide import Cited, Guide, Section
from procedures.models import Page

FONT = "Helvetica"
ENCODING = "windows-1252"
BULLET = "•"
MARGIN = 18  # millimetres
TITLE, CHAPTER, HEADING, BODY, SMALL = 22, 16, 13, 11, 9  # points

Chapter = tuple[Page, Sequence[Section]]


class Sheets(FPDF):
    """A4 sheets with the guide's name and the number of the page at the foot."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.core_fonts_encoding = ENCODING
        self.set_margin(MARGIN)
        self.set_auto_page_break(auto=True, margin=MARGIN + 4)
        self.set_title(name)
        self.set_font(FONT, size=BODY)

    def footer(self) -> None:
        """The last line of each sheet."""
        self.set_y(-MARGIN)
        self.set_font(FONT, size=SMALL)
        self.cell(text=letters(f"{self.name}, {self.page_no()}"))

    def line_of(self, words: str, size: int, *, style: str = "") -> None:
        """A paragraph of one size; goes on in the next line."""
        self.set_font(FONT, style=style, size=size)
        self.multi_cell(0, text=letters(words), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1.5)
        self.set_font(FONT, size=BODY)


class LettersMissing(ValueError):
    """The fonts of a PDF reader lack letters of this text, Arabic ones for example. A browser prints it."""


def letters(words: str) -> str:
    """The words, if the fonts have all their letters. Raises LettersMissing."""
    try:
        return words.encode(ENCODING).decode(ENCODING)
    except UnicodeEncodeError as error:
        raise LettersMissing(words[error.start : error.end]) from error


def guide_as_pdf(found: Guide, chapters: Iterable[Chapter], *, clinic: str, on: date) -> bytes:
    """All pages of a guide as one file, each section followed by where it comes from.

    Raises LettersMissing where a word of it, or of what the clinic filled in, cannot be written.
    """
    sheets = Sheets(found.procedure.name)
    sheets.set_lang(found.pages[0].language if found.pages else "en-gb")
    sheets.add_page()
    sheets.line_of(found.procedure.name, TITLE, style="B")
    sheets.line_of(f"{clinic}, {date_format(on, 'j F Y')}".lstrip(", "), SMALL)
    for page, sections in chapters:
        _put_chapter(sheets, page, sections)
    return bytes(sheets.output())


def _put_chapter(sheets: Sheets, page: Page, sections: Iterable[Section]) -> None:
    sheets.start_section(letters(page.title))
    sheets.ln(4)
    sheets.line_of(page.title, CHAPTER, style="B")
    sheets.line_of(page.summary, BODY, style="I")
    for section in sections:
        _put_section(sheets, section)


def _put_section(sheets: Sheets, section: Section) -> None:
    sheets.start_section(letters(section.heading), level=1)
    sheets.ln(2)
    sheets.line_of(section.heading, HEADING, style="B")
    # The renderer lets neither HTML nor pictures of the catalogue through: there is nothing to fetch.
    sheets.write_html(letters(section.html), ul_bullet_char=BULLET)
    sheets.ln(2)
    if section.open_points:
        sheets.line_of(_open(section), BODY, style="B")
    if section.facts:
        sheets.line_of(_("Where this comes from"), SMALL, style="B")
        if section.is_own:
            sheets.line_of(_("These are your clinic's own words. They rest on:"), SMALL)
        sources = f'<font size="{SMALL}"><ul>{_facts(section.facts)}</ul></font>'
        sheets.write_html(sources, ul_bullet_char=BULLET)


def _open(section: Section) -> str:
    topics = ", ".join(point.topic for point in section.open_points)
    return _("Your clinic has not decided yet. Ask your surgeon about: %(topics)s.") % {
        "topics": topics
    }


def _facts(facts: Iterable[Cited]) -> str:
    return "".join(f"<li>{escape(letters(_of_fact(fact)))}</li>" for fact in facts)


def _of_fact(fact: Cited) -> str:
    publishers = "; ".join(fact.publishers)
    if fact.reviewed_on:
        who = {"who": fact.reviewed_by, "day": date_format(fact.reviewed_on, "j M Y")}
        review = _("Reviewed by %(who)s, %(day)s.") % who
    else:
        review = _("Not reviewed by a clinician yet.")
    return f"{fact.statement} {fact.key}: {publishers}. {review}"
