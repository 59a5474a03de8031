"""What makes a password too easy to guess (NIST SP 800-63B, section 3.1.1.2): length counts, and no rule about signs.

Django's own validators refuse what is short, common, or close to the person's name and address.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# Fewer different signs than this make no password, however long.
FEWEST_SIGNS = 5


class NotAPattern:
    """Refuses a long password that says little: one word over and over, a row of keys, the portal's own name."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError for a password that is a pattern."""
        if _is_pattern(password.casefold()):
            raise ValidationError(
                _(
                    "This is easy to guess: it repeats itself, or runs along the keys. Use some words of your own."
                ),
                code="password_is_a_pattern",
            )

    def get_help_text(self) -> str:
        """What to avoid, for a form."""
        return _("Do not repeat one word, and do not run along the keys.")


def _is_pattern(password: str) -> bool:
    rest = password.replace("stepwise", "").replace("password", "")
    return len(set(rest)) < FEWEST_SIGNS or _repeats(password) or _runs(password)


def _repeats(password: str) -> bool:
    """Whether it is one piece over and over (a text occurs inside its own double only then)."""
    return password in (password + password)[1:-1]


def _runs(password: str) -> bool:
    """Whether nearly every sign is the next one, or the one before: 1234567890, abcdef, zyx."""
    steps = [ord(after) - ord(before) for before, after in pairwise(password)]
    return sum(abs(step) <= 1 for step in steps) > len(steps) * 0.8
