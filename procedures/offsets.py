"""Calendar arithmetic on offsets: pure functions on dates, with no clock, zone or database."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Offset:
    """A signed number of days, weeks, calendar months or years. Negative is before."""

    value: int
    unit: str

    def added_to(self, day: date) -> date:
        """The day this far from `day`.

        A month end is kept inside its month: 31 January and one month is the last of February
        (as RFC 5545 leaves open, and as people expect of "in a month").
        Raises ValueError for an unknown unit, OverflowError outside the calendar.
        """
        match self.unit:
            case "days":
                return day + timedelta(days=self.value)
            case "weeks":
                return day + timedelta(weeks=self.value)
            case "months":
                return _add_months(day, self.value)
            case "years":
                return _add_months(day, 12 * self.value)
        raise ValueError(
            f"An offset is counted in days, weeks, months or years, not in “{self.unit}”."
        )


def _add_months(day: date, months: int) -> date:
    years, month_index = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month_index + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
