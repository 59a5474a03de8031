"""Words and mails from plans: everything that is the same for many readers is worked out once.

A plan is a text with holes for what differs from mail to mail. It is made by rendering the real
template, or the real Markdown, with a mark in each hole's place; so nothing of a template's meaning
is repeated here. A condition on a value makes one plan for each outcome. What no plan can stand for
is rendered as ever, and the result is the same either way, which tests hold to.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from html import escape
from operator import attrgetter
from typing import Any

from django.db.models import Model
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import wrap
from markdown_it.common.utils import escapeHtml, isMdAsciiPunct, isPunctChar

from procedures.models import StepText
from procedures.wording import Wording, fill, placeholders_in, render

logger = logging.getLogger(__name__)

TEXT_TEMPLATE = "reminders/email/reminder.txt"
HTML_TEMPLATE = "reminders/email/reminder.html"
# Plans of one process; more than this and it starts anew, so that memory stays bounded.
MOST_PLANS = 500
# The text template wraps these two at so many characters, and nothing else.
WRAPPED = {"todo", "body_text"}
WRAP_AT = 72

# --- Text with holes -------------------------------------------------------------------------


class Pieces:
    """Fixed texts and holes in turn: `texts[0] holes[0] texts[1] …`. A hole is a name and how its value is put in."""

    __slots__ = ("_holes", "_parts")

    def __init__(
        self, texts: Sequence[str], holes: Sequence[tuple[str, Callable[[str], str]]]
    ) -> None:
        # The texts at the even places; the odd ones stay empty for what is put in.
        self._parts = [""] * (2 * len(holes) + 1)
        self._parts[::2] = texts
        self._holes = [(2 * number + 1, *hole) for number, hole in enumerate(holes)]

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with its holes filled."""
        parts = self._parts.copy()
        for place, name, put_in in self._holes:
            parts[place] = put_in(values[name])
        return "".join(parts)


def _as_it_is(value: str) -> str:
    return value


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


# Whether a value begins, and whether it ends, with punctuation.
Shape = tuple[bool, bool]


@dataclass(frozen=True, slots=True)
class _Body:
    html: Pieces
    text: Pieces


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
        self._fixed_in_body = tuple(
            (name, str(fixed.get(name) or "")) for name in sorted(in_body - VARYING)
        )
        self._is_whole = all(str(fixed.get(name) or "").strip() for name in names - VARYING)
        parts = (text.subject, text.title, text.todo) if self._is_whole else ()
        self._lines = [_line(part, fixed) for part in parts]
        self._bodies: dict[tuple[Shape, ...], _Body | None] = {}

    def words(self, own: Mapping[str, str]) -> Wording:
        """The same as `procedures.wording.render`. Raises UnfilledPlaceholder."""
        values = [own.get(name, "") for name in self.own]
        if not self._is_whole or not all(map(str.strip, values)):
            return self._by_rendering(own)
        put_in = {name: _one_line(own[name]) for name in self._own_in_body}
        body = self._body(put_in)
        # A backslash in a value may end or open what stands beside it.
        if body is None or "\\" in "".join(put_in.values()):
            return self._by_rendering(own)
        subject, title, todo = [line.filled(own) for line in self._lines]
        return Wording(
            language=self.text.language,
            subject=" ".join(subject.split()),
            title=title,
            todo=todo,
            body_html=mark_safe(body.html.filled(put_in)),  # noqa: S308 - values are escaped as they are put in
            body_text=body.text.filled(put_in),
        )

    def _body(self, put_in: Mapping[str, str]) -> _Body | None:
        """The plan of the text's body for values such as these, or None where no plan can stand for it."""
        shapes = tuple([_shape(value) for value in put_in.values()])
        if shapes not in self._bodies:
            named = tuple(zip(self._own_in_body, shapes, strict=True))
            self._bodies[shapes] = _body_plan(self.text.body, self._fixed_in_body, named)
        return self._bodies[shapes]

    def _by_rendering(self, own: Mapping[str, str]) -> Wording:
        return render(self.text, {**self._fixed, **own})


def words(text: StepText, values: Mapping[str, str]) -> Wording:
    """The same as `procedures.wording.render`, from a plan. Raises UnfilledPlaceholder."""
    return Script(text, values).words(values)


def _line(text: str, fixed: Mapping[str, str]) -> Pieces:
    """A plain text with a hole for each value of its reader's: it goes in as it is, without space around it."""
    texts, names = _cut(text, {f"{{{name}}}": name for name in placeholders_in(text) & VARYING})
    return Pieces([fill(part, fixed) for part in texts], [(name, str.strip) for name in names])


def _one_line(value: str) -> str:
    # As Markdown does it before anything else.
    return " ".join(value.split()).replace("\0", "\ufffd")


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
    return _Body(
        html=_with_holes(html, names, escapeHtml), text=_with_holes(text, names, _as_it_is)
    )


def _with_holes(text: str, names: Mapping[str, str], put_in: Callable[[str], str]) -> Pieces:
    texts, found = _cut(text, names)
    return Pieces(texts, [(name, put_in) for name in found])


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


@dataclass(frozen=True, slots=True)
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
        replace(
            item,
            **{name: _frame_mark(f"{number}:{name}", getattr(item, name)) for name in ITEM_HOLES},
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
        put_in = _wrapped if is_wrapped else escape if match[1] == "&amp;" else _as_it_is
        holes.append((name, put_in))
    return Pieces([*texts, text[end:]], holes)


def _wrapped(text: str) -> str:
    """The same as the filter `wordwrap`, which looks at one line at a time, as does this."""
    lines = [line if _fits(line) else _wrapped_line(line) for line in text.splitlines()]
    return "\n".join(lines) + ("\n" if text.endswith("\n") else "")


def _fits(line: str) -> bool:
    """Whether wrapping leaves a line as it is: it is short, and has neither tabs nor space at its end."""
    return len(line) <= WRAP_AT and "\t" not in line and line.rstrip() == line


@lru_cache(maxsize=4096)
def _wrapped_line(line: str) -> str:
    return wrap(line, WRAP_AT)
