"""Words and mails from plans: everything that is the same for many readers is worked out once.

A plan is a text with holes for what differs from mail to mail. It is made by rendering the real
template, or the real Markdown, with a mark in each hole's place; so nothing of a template's meaning
is repeated here. A condition on a value makes one plan for each outcome. What no plan can stand for
is rendered as ever, and the result is the same either way, which tests hold to.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from django.db.models import Model
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe
from markdown_it.common.utils import escapeHtml, isMdAsciiPunct, isPunctChar

from procedures.models import StepText
from procedures.wording import Wording, fill, placeholders_in, render
from reminders.pieces import Hole, Pieces, as_it_is, escaped, wrapped

logger = logging.getLogger(__name__)

TEXT_TEMPLATE = "reminders/email/reminder.txt"
HTML_TEMPLATE = "reminders/email/reminder.html"
# Plans of one process; more than this and it starts anew, so that memory stays bounded.
MOST_PLANS = 500
# The text template wraps these two, and nothing else.
WRAPPED = {"todo", "body_text"}

# --- The words of a step ---------------------------------------------------------------------

# What differs from reader to reader; everything else that a text may name is the clinic's own.
VARYING = frozenset(
    {
        "patient_name", "reader_name", "surgery_date", "appointment_date", "appointment_time",
        "appointment_place", "window_from", "window_until",
    }
)  # fmt: skip

# Where a value could change what Markdown makes of the text around it: before the full stop or
# bracket of a numbered list, within an entity, behind a backslash.
_TOUCHY = re.compile(r"^[\s>*+\-\d.)]*(?:\d|\{[^{}]*\})+[.)](?:\s|$)|&#?\w*\{|\\\{", re.MULTILINE)
_DEFINITION = re.compile(r"^[\s>*+-]*\[.*\]:", re.MULTILINE)
# In code a value's backslashes would show; in a link the text version compares label and address.
_NOT_PLAIN = re.compile(r"<[^>]*QZH|<(a|code|pre)\b[^>]*>(?:(?!</\1>).)*QZH", re.DOTALL)


# In a value a backslash may end or open what stands beside it, and a backtick end the code around it.
_TOUCHES = frozenset("\\`")

# Whether a value begins, and whether it ends, with punctuation.
Shape = tuple[bool, bool]


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    html: Pieces
    text: Pieces


class Source(NamedTuple):
    """The plans that an item's words are made from, and what its reader's own values are."""

    title: Pieces
    todo: Pieces
    body: _Body
    own: Mapping[str, str]
    language: str
    subject: str

    def words(self) -> Wording:
        """The words themselves."""
        return Wording(
            language=self.language,
            subject=self.subject,
            title=self.title.filled(self.own),
            todo=self.todo.filled(self.own),
            body_html=mark_safe(self.body.html.filled(self.own)),  # noqa: S308 - values are escaped as they are put in
            body_text=self.body.text.filled(self.own),
        )


class Script:
    """A step's text with what a clinic fills in: what is the same for every reader, looked up once.

    `own` are the names of what still has to be filled in for each.
    """

    def __init__(self, text: StepText, fixed: Mapping[str, str]) -> None:
        names = placeholders_in(text.subject, text.title, text.todo, text.body)
        in_body = placeholders_in(text.body)
        self.text, self._fixed = text, fixed
        self.own = tuple(sorted(names & VARYING))
        self._own_in_body = tuple(sorted(in_body & VARYING))
        self._fixed_in_body = _fixed_in(text.body, fixed)
        self._is_whole = all(str(fixed.get(name) or "").strip() for name in names - VARYING)
        parts = (text.subject, text.title, text.todo) if self._is_whole else ()
        self._lines = [_line(part, _fixed_in(part, fixed)) for part in parts]
        self._bodies: dict[tuple[Shape, ...], _Body | None] = {}

    def source(self, own: Mapping[str, str]) -> Source | None:
        """What the words for these values are made from, or None where no plan can stand for them."""
        values = [own.get(name, "") for name in self.own]
        if not self._is_whole or not all(map(str.strip, values)):
            return None
        put_in = {name: _one_line(own[name]) for name in self._own_in_body}
        body = self._body(put_in)
        if body is None or not _TOUCHES.isdisjoint("".join(put_in.values())):
            return None
        subject, title, todo = self._lines
        on_one_line = " ".join(subject.filled(own).split())
        return Source(title, todo, body, own, self.text.language, on_one_line)

    def words(self, own: Mapping[str, str]) -> Wording:
        """The same as `procedures.wording.render`, by rendering. Raises UnfilledPlaceholder."""
        return render(self.text, {**self._fixed, **own})

    def _body(self, put_in: Mapping[str, str]) -> _Body | None:
        """The plan of the text's body for values such as these, or None where no plan can stand for it."""
        shapes = tuple([_shape(value) for value in put_in.values()])
        if shapes not in self._bodies:
            named = tuple(zip(self._own_in_body, shapes, strict=True))
            self._bodies[shapes] = _body_plan(self.text.body, self._fixed_in_body, named)
        return self._bodies[shapes]


def words(text: StepText, values: Mapping[str, str]) -> Wording:
    """The same as `procedures.wording.render`, from a plan if there is one. Raises UnfilledPlaceholder."""
    script = Script(text, values)
    source = script.source(values)
    return source.words() if source else script.words(values)


def _fixed_in(text: str, fixed: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What the clinic fills into a text."""
    names = sorted(placeholders_in(text) - VARYING)
    return tuple((name, str(fixed.get(name) or "")) for name in names)


@lru_cache(maxsize=3 * MOST_PLANS)
def _line(text: str, fixed: tuple[tuple[str, str], ...]) -> Pieces:
    """A plain text with a hole for each value of its reader's: it goes in as it is, without space around it."""
    texts, names = _cut(text, {f"{{{name}}}": name for name in placeholders_in(text) & VARYING})
    return Pieces(
        [fill(part, dict(fixed)) for part in texts], [Hole(name, str.strip) for name in names]
    )


def _one_line(value: str) -> str:
    # As Markdown does it before anything else.
    return " ".join(value.split()).replace("\0", "\ufffd")


def _in_html(value: str) -> str:
    return escapeHtml(_one_line(value))


def _shape(value: str) -> Shape:
    """What of a value matters to the Markdown around it: whether it begins and ends with punctuation."""
    return _is_punctuation(value[0]), _is_punctuation(value[-1])


def _is_punctuation(character: str) -> bool:
    if character.isalnum():
        return False
    return isMdAsciiPunct(ord(character)) or isPunctChar(character)


@lru_cache(maxsize=MOST_PLANS)
def _body_plan(
    body: str,
    fixed: tuple[tuple[str, str], ...],
    shapes: tuple[tuple[str, Shape], ...],
) -> _Body | None:
    """The body in HTML and in text with a hole for each varying value, or None where that cannot be."""
    if shapes and (_TOUCHY.search(body) or _DEFINITION.search(body)):
        return None
    marks = {
        name: f"{'.' if first else ''}QZH{number}HZQ{'.' if last else ''}"
        for number, (name, (first, last)) in enumerate(shapes)
    }
    marked = render(StepText(body=body), {**dict(fixed), **marks})
    html, text = str(marked.body_html), marked.body_text
    for name, mark in marks.items():
        times = body.count(f"{{{name}}}")
        if html.count(mark) != times or text.count(mark) != times:
            return None
    if _NOT_PLAIN.search(html):
        return None
    names = {mark: name for name, mark in marks.items()}
    return _Body(html=_with_holes(html, names, _in_html), text=_with_holes(text, names, _one_line))


def _with_holes(text: str, names: Mapping[str, str], put_in: Callable[[str], str]) -> Pieces:
    texts, found = _cut(text, names)
    return Pieces(texts, [Hole(name, put_in) for name in found])


def _cut(text: str, names: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The text cut at its marks: the texts between them, and what each mark stands for."""
    if not names:
        return [text], []
    parts = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
    return parts[::2], [names[mark] for mark in parts[1::2]]


# --- The mail around them --------------------------------------------------------------------

# What of a mail's context differs from mail to mail; everything else is part of the plan.
FRAME_HOLES = ("reader_name", "unsubscribe_url", "time_zone_note")
ITEM_HOLES = ("patient_name", "title", "todo", "body_html", "body_text", "why_url")
_FRAME_MARK = re.compile(r"QZ(&|&amp;)([a-z_]+|\d+:[a-z_]+)(?:&|&amp;)ZQ")


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    html: Pieces
    text: Pieces


_frames: dict[tuple[Any, ...], _Frame | None] = {}
_seen: set[tuple[Any, ...]] = set()


def render_mail(context: Mapping[str, Any]) -> tuple[str, str]:
    """The text and the HTML of a mail in the language in force, as the two templates render them.

    `context` is what the templates ask for, its items as `emails.Item`. A mail of a new kind is
    rendered by the templates; when the kind comes again it gets a plan.
    """
    key = _kind(context)
    if key not in _frames:
        if len(_frames) + len(_seen) >= MOST_PLANS:
            _frames.clear()
            _seen.clear()
        if key not in _seen:
            _seen.add(key)
            return _by_template(context)
        _frames[key] = _plan(context)
    frame = _frames[key]
    return _by_template(context) if frame is None else _by_plan(frame, context)


def _by_template(context: Mapping[str, Any]) -> tuple[str, str]:
    values = dict(context)
    return render_to_string(TEXT_TEMPLATE, values), render_to_string(HTML_TEMPLATE, values)


def _by_plan(frame: _Frame, context: Mapping[str, Any]) -> tuple[str, str]:
    values = _hole_values(context)
    return SafeString(frame.text.filled(values)), SafeString(frame.html.filled(values))


def _kind(context: Mapping[str, Any]) -> tuple[Any, ...]:
    """Everything the templates may ask about; of the values that go into holes, what sort they are."""
    fixed = (
        (name, _fingerprint(value))
        for name, value in context.items()
        if name not in FRAME_HOLES and name != "items"
    )
    return (
        translation.get_language(),
        *fixed,
        *(_sort(context.get(name)) for name in FRAME_HOLES),
        *(_kind_of_item(item) for item in context["items"]),
    )


def _kind_of_item(item: Any) -> tuple[Any, ...]:
    return (
        item.category, item.category_label, item.correction, item.language,
        *(_sort(getattr(item, name)) for name in ITEM_HOLES),
    )  # fmt: skip


def _sort(value: str | None) -> int:
    """0 for nothing, 1 for text, 2 for HTML that is safe as it is."""
    return 0 if not value else 1 + isinstance(value, SafeString)


def _fingerprint(value: Any) -> Any:
    """A value to compare plans by; of a row, what is in its fields."""
    return _fields_of(type(value))(value) if isinstance(value, Model) else value


@cache
def _fields_of(model: type[Model]) -> Callable[[Model], tuple[Any, ...]]:
    return attrgetter(*(field.attname for field in model._meta.concrete_fields))


def _hole_values(context: Mapping[str, Any]) -> dict[str, str]:
    values = {name: str(context.get(name) or "") for name in FRAME_HOLES}
    for number, item in enumerate(context["items"]):
        for name in ITEM_HOLES:
            values[f"{number}:{name}"] = getattr(item, name)
    return values


def _plan(context: Mapping[str, Any]) -> _Frame | None:
    """The plan of a mail's kind, or None if it would not render this very mail as the templates do."""
    items = [
        item._replace(
            **{name: _frame_mark(f"{number}:{name}", getattr(item, name)) for name in ITEM_HOLES}
        )
        for number, item in enumerate(context["items"])
    ]
    holes = {name: _frame_mark(name, context.get(name) or "") for name in FRAME_HOLES}
    text, html = _by_template({**context, **holes, "items": items})
    frame = _Frame(html=_frame_pieces(html, wraps=False), text=_frame_pieces(text, wraps=True))
    if _by_plan(frame, context) == _by_template(context):
        return frame
    logger.warning("a kind of mail has no plan and is rendered by its templates")
    return None


def _frame_mark(name: str, value: str) -> str:
    """A mark that shows whether the template escapes what stands there. What is empty stays empty."""
    if not value:
        return value
    mark = f"QZ&{name}&ZQ"
    return SafeString(mark) if isinstance(value, SafeString) else mark


def _frame_pieces(text: str, *, wraps: bool) -> Pieces:
    texts, holes, end = [], [], 0
    for match in _FRAME_MARK.finditer(text):
        texts.append(text[end : match.start()])
        end = match.end()
        name = match[2]
        is_wrapped = wraps and name.rpartition(":")[2] in WRAPPED
        put_in = wrapped if is_wrapped else escaped if match[1] == "&amp;" else as_it_is
        holes.append(Hole(name, put_in))
    return Pieces([*texts, text[end:]], holes)


# --- Both in one -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """What mails of one kind have in common, under the key by which it is stored (`reminders.models.Sheet`)."""

    key: UUID
    text: Pieces
    html: Pieces


class Printed(NamedTuple):
    """A mail's two parts, and both as bytes for the wire where they are known.

    `sheet` is what they were printed on, if it was one, and `own` what stands between its texts, part by part.
    """

    text: str
    html: str
    wire: tuple[bytes, bytes] | None = None
    sheet: Sheet | None = None
    own: Mapping[str, Sequence[str]] | None = None


class Sheets:
    """The mails of one batch that carry one reminder each, from a plan of frame and words together.

    What the kind of a mail depends on beside what it is asked with, a clinic and settings, stays as it is
    for a batch; so its plan is looked for once.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Sheet] = {}

    def printed(
        self,
        draft: Any,
        key: tuple[Any, ...],
        values: Mapping[str, Any],
        context: Callable[[], Mapping[str, Any]],
    ) -> Printed:
        """The same as `render_mail(context())`. `values` are the frame's holes, `key` what else the context holds."""
        source = draft.source
        key = (
            *source[:3], draft.category, draft.correction, source.language, bool(draft.patient_name), *key,
            *[bool(values[name]) for name in FRAME_HOLES],
        )  # fmt: skip
        sheet = self._known.get(key)
        if sheet is None:
            made = context()
            frame = _frames.get(_kind(made))
            if frame is None:
                return Printed(*render_mail(made))
            sheet = self._known[key] = _sheet(frame, *source[:3])
        given = {
            **source.own,
            **values,
            "0:patient_name": draft.patient_name,
            "0:why_url": draft.why_url,
        }
        text, html = sheet.text.printed(given), sheet.html.printed(given)
        wire = None if text.wire is None or html.wire is None else (text.wire, html.wire)
        own = {"text": text.put_in, "html": html.put_in}
        return Printed(text.text, html.text, wire, sheet, own)


# The same texts have the same key, on whatever machine the sheet is made.
_SHEETS = UUID("6c3a4c55-2f6b-4d0e-9a55-0d1d5b1f7c11")


@lru_cache(maxsize=MOST_PLANS // 2)
def _sheet(frame: _Frame, title: Pieces, todo: Pieces, body: _Body) -> Sheet:
    """A frame with the words of a step in it: only what is the reader's own still has to be put in."""
    parts = {"0:title": title, "0:todo": todo, "0:body_html": body.html, "0:body_text": body.text}
    text, html = frame.text.with_parts(parts), frame.html.with_parts(parts)
    return Sheet(uuid5(_SHEETS, json.dumps([text.texts, html.texts])), text, html)
