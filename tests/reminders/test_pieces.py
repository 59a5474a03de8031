"""Text with holes: put together from parts it is what the whole would be, as text and as bytes."""

import pytest
from django.utils.text import wrap
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.wire import on_the_wire
from reminders.pieces import Hole, Pieces, as_it_is, escaped, on_wire, wrapped

SETTINGS = settings(deadline=None, max_examples=200)
# Everything that ends a line, is stripped, is escaped, or means something on the wire.
signs = "aB<&>\"' .\t\n\r\x0b\x0c\x1c\x85\u2028\xa0é’ؤ-"
texts = st.text(st.one_of(st.sampled_from(signs), st.characters()), max_size=100)
# What is put in has been put on one line before, or at least has no space at its ends.
values = texts.map(str.strip)
lines = texts.map(lambda text: " ".join(text.split()))


@st.composite
def pieces(draw, put_ins=(as_it_is, escaped), names=("one", "two")):
    """Any text with holes."""
    holes = draw(
        st.lists(st.builds(Hole, st.sampled_from(names), st.sampled_from(put_ins)), max_size=4)
    )
    fixed = draw(st.lists(texts, min_size=len(holes) + 1, max_size=len(holes) + 1))
    return Pieces(fixed, holes)


def by_hand(text, given):
    """The text with its holes filled, written plainly."""
    out = text.texts[0]
    for hole, part in zip(text.holes, text.texts[1:], strict=True):
        out += hole.put_in(given[hole.name]) + part
    return out


both = st.fixed_dictionaries({"one": values, "two": values})


@SETTINGS
@given(text=pieces(), given=both)
def test_a_text_with_its_holes_filled(text, given):
    assert text.filled(given) == by_hand(text, given)
    assert text.printed(given).text == by_hand(text, given)


@SETTINGS
@given(text=pieces(), given=both)
def test_the_bytes_are_what_the_text_is_on_the_wire(text, given):
    printed = text.printed(given)
    if printed.wire is not None:
        raw = printed.text.replace("\n", "\r\n").encode() + b"\r\n"
        assert on_the_wire(raw) == printed.wire + b"\r\n.\r\n"


@SETTINGS
@given(text=texts)
def test_what_cannot_change_what_is_around_it_is_ready_for_the_wire(text):
    is_plain = text and text[0] != "." and text[-1] != "\n" and "\r" not in text
    is_whole = not any("\ud800" <= sign <= "\udfff" for sign in text)
    assert (on_wire(text) is not None) == bool(is_plain and is_whole)


def test_a_full_stop_behind_a_value_is_no_line_that_begins_with_a_dot():
    text = Pieces(["On ", ". Call us\n.\n"], [Hole("one", as_it_is)])
    assert text.printed({"one": "Monday"}).wire == b"On Monday. Call us\r\n..\r\n"
    assert text.printed({"one": ""}).wire is None


@SETTINGS
@given(text=pieces(), given=both)
def test_what_goes_through_an_escape_is_the_escaped_whole(text, given):
    assert text.through(escaped).filled(given) == escaped(by_hand(text, given))


@SETTINGS
@given(text=texts)
def test_wrapping_is_djangos(text):
    assert wrapped(text) == wrap(text, 72)


@SETTINGS
@given(text=pieces(), given=both)
def test_wrapping_line_by_line_is_wrapping_the_whole(text, given):
    assume_whole_lines(text, given)
    assert text.wrapped().filled(given) == wrapped(by_hand(text, given))


def assume_whole_lines(text, given):
    """Values with something in them, as a step's words have them: an empty one could join two line ends."""
    for name in {hole.name for hole in text.holes}:
        given[name] = given[name] or "x"


@SETTINGS
@given(frame=pieces((as_it_is, escaped), ("part", "one")), part=pieces(), given=both)
def test_a_text_in_another_is_the_two_put_together(frame, part, given):
    whole = frame.with_parts({"part": part})
    assert whole.filled(given) == by_hand(frame, {**given, "part": by_hand(part, given)})


@SETTINGS
@given(part=pieces(), given=both)
def test_a_wrapped_text_in_another(part, given):
    assume_whole_lines(part, given)
    frame = Pieces(["Hello\n", "\nBye"], [Hole("part", wrapped)])
    whole = frame.with_parts({"part": part})
    assert whole.filled(given) == f"Hello\n{wrapped(by_hand(part, given))}\nBye"


@pytest.mark.parametrize("text", [".", "a\r\nb", "\ud800"])
def test_a_fixed_text_that_is_not_plain_has_no_bytes(text):
    assert Pieces([text]).printed({}).wire is None
    assert Pieces(["a", "b"], [Hole("one", as_it_is)]).printed({"one": text}).wire is None
