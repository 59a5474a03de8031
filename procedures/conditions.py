"""When a step is for somebody: a condition compared with a patient's attributes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The attributes a condition may name, with what each can be. The catalogue's check reads this list.
ATTRIBUTES: dict[str, tuple[Any, ...]] = {
    "audience": ("adult", "child"),
    "uses_nicotine": (True, False),
    "drives": (True, False),
    "job": ("none", "desk", "on_feet", "heavy"),
    "lives_alone": (True, False),
    "cares_for_others": (True, False),
    "uses_wheelchair": (True, False),
}


def holds(condition: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Whether every attribute that the condition names has the value, or one of the values, it asks for.

    Raises KeyError for an attribute the patient record does not have.
    """
    return all(
        attributes[name] in wanted if isinstance(wanted, list) else attributes[name] == wanted
        for name, wanted in condition.items()
    )
