"""The score of an outcome questionnaire from its answers, by the rule that stands with it. Pure.

The rule says how far items reach and which end is good; which items, and in what words, is the
publisher's, and comes with a licence.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any


def score(rule: Mapping[str, Any], items: list[str], answers: Mapping[str, int]) -> Decimal | None:
    """The mean of the answered items on a scale from 0 (worst) to 100 (best), to one decimal.

    `rule` holds `worst` and `best`, the values of an item at either end, and `may_miss`, how many
    items may stay without an answer. None when more are missing.
    """
    given = [answers[item] for item in items if item in answers]
    if not given or len(items) - len(given) > rule["may_miss"]:
        return None
    mean = Decimal(sum(given)) / len(given)
    worst, best = Decimal(rule["worst"]), Decimal(rule["best"])
    points = 100 * (mean - worst) / (best - worst)
    return points.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
