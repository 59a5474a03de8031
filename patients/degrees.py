"""A temperature in words, in the language that is active."""

from __future__ import annotations

from decimal import Decimal

from django.utils.formats import number_format


def degrees(celsius: Decimal | float) -> str:
    """A temperature in °C to one decimal, such as “38.4 °C”."""
    return f"{number_format(round(Decimal(str(celsius)), 1), 1)} °C"
