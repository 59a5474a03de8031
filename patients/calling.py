"""Whom to call about a warning sign at this hour: one number first, and who answers if nobody does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from portal.models import Clinic
from procedures.models import Severity


@dataclass(frozen=True, slots=True)
class Call:
    """The number to call now, and the other one. `is_open` is None for an emergency: nobody asks for hours then."""

    number: str
    other: str
    is_open: bool | None


def whom_to_call(clinic: Clinic, severity: str, now: datetime) -> Call | None:
    """The one number for a warning sign of this severity; None where the clinic has not said enough to name one."""
    if severity == Severity.EMERGENCY:
        return Call(clinic.emergency_phone, "", None) if clinic.emergency_phone else None
    is_open = clinic.is_open_at(now)
    if is_open is None:
        return None
    numbers = (clinic.phone_in_hours, clinic.phone_out_of_hours)
    first, other = numbers if is_open else reversed(numbers)
    return Call(first, other, is_open) if first else None
