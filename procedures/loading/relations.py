"""What a text relies on: the facts it cites, and the disagreements and slots that follow from facts and words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from procedures.loading.catalogue import Row
from procedures.loading.merge import Content
from procedures.wording import placeholders_in


class Relations:
    """Knows which disagreements each fact takes part in (docs/decisions/0022)."""

    def __init__(self, disagreements: Iterable[Row]) -> None:
        self._of_fact: dict[str, set[str]] = defaultdict(set)
        for row in disagreements:
            for fact in row.data.get("facts", ()):
                self._of_fact[fact].add(row.data["key"])

    def of(
        self, data: Mapping[str, Any], texts: Iterable[str], *, further_slots: Iterable[str] = ()
    ) -> Content:
        """The keys of facts, disagreements and slots that a step or a section relies on."""
        named = [name.partition(":") for name in placeholders_in(*texts)]
        facts = data.get("facts", ())
        return {
            "facts": sorted(facts),
            "disagreements": sorted(
                {*data.get("disagreements", ())}
                | {key for kind, _, key in named if kind == "settled"}
                | {key for fact in facts for key in self._of_fact[fact]}
            ),
            "slots": sorted(
                {*data.get("slots", ()), *further_slots}
                | {key for kind, _, key in named if kind == "slot"}
            ),
        }
