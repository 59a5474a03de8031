"""Pieces of pages that are the same for many readers: rendered once, and kept by the process.

A piece sees the values it is given and nothing else, so it cannot hold what it is not told of: no
reader, no request, no form token. Everything that it is told of is part of what it is kept by.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.functional import Promise
from django.utils.safestring import SafeString

# Pieces of one process; with one more the oldest goes, so that memory stays bounded.
MOST = 500


class Constant:
    """Something that is made when the program starts, and never again: compared by being the same."""

    __slots__ = ()


_Key = tuple[Any, ...]
_pieces: dict[_Key, SafeString] = {}


def kept(name: str, **values: Any) -> SafeString:
    """A template of the folder `kept`, in the language in force, rendered with `values` alone.

    Values are texts, numbers, truth values, days, tuples of them, and `Constant`s. Raises TypeError
    for anything else: a row may change, and may be somebody's own.
    """
    key = (name, translation.get_language(), *map(_key, values.items()))
    piece = _pieces.get(key)
    if piece is None:
        if len(_pieces) >= MOST:
            _pieces.pop(next(iter(_pieces)), None)
        piece = _pieces[key] = render_to_string(f"kept/{name}.html", values)
    return piece


def forget() -> None:
    """Start anew."""
    _pieces.clear()


def _key(value: Any) -> Any:
    """What tells a value from others. Text that is safe is not the same as that text unsafe, nor 1 as True."""
    if isinstance(value, tuple):
        return type(value), *map(_key, value)
    if isinstance(value, Promise):
        return str(value)
    if value is None or isinstance(value, str | int | float | date | Constant):
        return type(value), value
    raise TypeError(f"A piece of a page cannot be kept by {type(value).__name__}.")
