"""Text with holes: fixed texts and what is put in between, as text and as the bytes that go over the wire.

Knows nothing of mails and templates; `reminders.compiled` makes such texts of them. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from html import escape as html_escape
from typing import Any, NamedTuple

from django.utils.text import wrap

# The text part of a mail is wrapped at so many characters.
WRAP_AT = 72

PutIn = Callable[[str], str]
Values = Mapping[str, str]


class Filled(NamedTuple):
    """A text with its holes filled, and what was put into them; as mail servers hear it too, where that is known."""

    text: str
    wire: bytes | None
    put_in: Sequence[str] = ()


class Hole(NamedTuple):
    """A place for the value of this name, and how it is put in."""

    name: str
    put_in: PutIn

    def __call__(self, values: Values) -> str:
        """What stands there."""
        return self.put_in(values[self.name])


class Wrapped(NamedTuple):
    """A place for a line that is wrapped once its own holes are filled."""

    line: Pieces

    def __call__(self, values: Values) -> str:
        """What stands there, on one line or several."""
        return wrapped(self.line.filled(values))


class Pieces:
    """Fixed texts and holes in turn: `texts[0] holes[0] texts[1] …`."""

    def __init__(self, texts: Sequence[str], holes: Sequence[Hole | Wrapped] = ()) -> None:
        self.texts, self.holes = tuple(texts), tuple(holes)

    @cached_property
    def _wire(self) -> list[bytes] | None:
        """The fixed texts, ready for the wire, if all of them can be."""
        ready = [_encoded(text) for text in self.texts if not self.texts[0].startswith(".")]
        return [text for text in ready if text is not None] if ready and None not in ready else None

    def filled(self, values: Values) -> str:
        """The text with its holes filled."""
        if not self.holes:
            return self.texts[0]
        return _join(self.texts, [hole(values) for hole in self.holes], "")

    def printed(self, values: Values) -> Filled:
        """The same, with its bytes: what is fixed was made ready for the wire once."""
        put_in = [hole(values) for hole in self.holes]
        text = _join(self.texts, put_in, "")
        if self._wire is None:
            return Filled(text, None, put_in)
        ready = [on_wire(value) for value in put_in]
        return Filled(text, None if None in ready else _join(self._wire, ready, b""), put_in)

    def through(self, put_in: PutIn) -> Pieces:
        """As part of another text. `put_in` has to do the same to a text as to the pieces it is cut into."""
        return Pieces(
            [put_in(text) for text in self.texts],
            [Hole(hole.name, _both(hole.put_in, put_in)) for hole in self._named()],
        )

    def wrapped(self) -> Pieces:
        """As `wrapped` has it, line by line. No value may be empty, or begin or end in a space or a line end."""
        lines = [
            line if line.holes else Pieces([wrapped_line(line.texts[0])]) for line in self._lines()
        ]
        end = Pieces(["\n" if self.texts[-1].endswith("\n") else ""])
        texts = [""]
        holes: list[Hole | Wrapped] = []
        for number, line in enumerate([*lines, end]):
            if 0 < number < len(lines):
                texts[-1] += "\n"
            if line.holes:
                holes.append(Wrapped(line))
                texts.append("")
            else:
                texts[-1] += line.texts[0]
        return Pieces(texts, holes)

    def with_parts(self, parts: Mapping[str, Pieces]) -> Pieces:
        """This text with other texts in the place of the holes of these names, put in as the holes say."""
        texts = [self.texts[0]]
        holes: list[Hole | Wrapped] = []
        for hole, text in zip(self._named(), self.texts[1:], strict=True):
            part = parts.get(hole.name)
            if part is None:
                holes.append(hole)
                texts.append(text)
                continue
            inside = part.wrapped() if hole.put_in is wrapped else part.through(hole.put_in)
            texts[-1] += inside.texts[0]
            holes += inside.holes
            texts += inside.texts[1:]
            texts[-1] += text
        return Pieces(texts, holes)

    def _named(self) -> Iterator[Hole]:
        for hole in self.holes:
            assert isinstance(hole, Hole)
            yield hole

    def _lines(self) -> list[Pieces]:
        lines: list[tuple[list[str], list[Hole]]] = [([""], [])]
        for text, hole in zip(self.texts, [*self._named(), None], strict=True):
            for part in text.splitlines(keepends=True):
                bare = part.splitlines()[0]
                lines[-1][0][-1] += bare
                if bare != part:
                    lines.append(([""], []))
            if hole is not None:
                lines[-1][1].append(hole)
                lines[-1][0].append("")
        if lines[-1] == ([""], []):
            lines.pop()
        return [Pieces(*line) for line in lines]


def woven(texts: Sequence[str], put_in: Sequence[str]) -> str:
    """The fixed texts with these between them, of which there is one less."""
    if len(texts) != len(put_in) + 1:
        raise ValueError(f"{len(texts)} texts have no room for {len(put_in)} between them")
    return str(_join(texts, put_in, ""))


def as_it_is(value: str) -> str:
    """Put in without change."""
    return value


# Titles and the like come again with every mail, names and links do not.
escaped = lru_cache(maxsize=1024)(html_escape)


def wrapped(text: str) -> str:
    """The same as the filter `wordwrap`, which looks at one line at a time, as does this."""
    if "\t" in text:
        lines = [wrapped_line(line) for line in text.splitlines()]
    else:
        # Wrapping leaves a line as it is that is short and has no space at its end.
        lines = [
            line if len(line) <= WRAP_AT and line.rstrip() == line else wrapped_line(line)
            for line in text.splitlines()
        ]
    return "\n".join(lines) + ("\n" if text.endswith("\n") else "")


@lru_cache(maxsize=1024)
def wrapped_line(line: str) -> str:
    """One line, wrapped."""
    return wrap(line, WRAP_AT)


def on_wire(value: str) -> bytes | None:
    """What is put into a hole, as mail servers hear it; None where that cannot be said of it alone.

    What begins with a dot may or may not begin a line, and after nothing, or a line end, so may what follows.
    """
    if not value or value[0] == "." or value[-1] == "\n":
        return None
    return _encoded(value)


def _encoded(text: str) -> bytes | None:
    """UTF-8, lines ended by CR LF, a dot at the start of a further line doubled (RFC 5321 section 4.5.2).

    None for a lone CR, which is a line end of its own, and for half a character, which cannot be written.
    """
    if "\r" in text:
        return None
    try:
        ready = text.encode()
    except UnicodeEncodeError:
        return None
    return ready.replace(b"\n", b"\r\n").replace(b"\n.", b"\n..") if b"\n" in ready else ready


@lru_cache(maxsize=64)
def _both(first: PutIn, then: PutIn) -> PutIn:
    if first is as_it_is or then is as_it_is:
        return then if first is as_it_is else first
    return lambda value: then(first(value))


def _join(texts: Sequence[Any], put_in: Sequence[Any], nothing: Any) -> Any:
    parts = [nothing] * (len(texts) + len(put_in))
    parts[::2], parts[1::2] = texts, put_in
    return nothing.join(parts)
