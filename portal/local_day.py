"""The day that it is somewhere, worked out by the database, for rows that lie in many time zones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import DateField, DateTimeField, F, Func, Value


class LocalDay(Func):
    """The local day at a moment (UTC) in the time zone that a column names."""

    output_field = DateField()

    def __init__(self, moment: datetime | Value, zone: str) -> None:
        at = moment if isinstance(moment, Value) else Value(moment, DateTimeField())
        super().__init__(at, F(zone))

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """`AT TIME ZONE` knows the zones by the same names."""
        template = "(%(expressions)s)::date"
        return self.as_sql(
            compiler,
            connection,
            template=template,
            arg_joiner="::timestamptz AT TIME ZONE ",
            **context,
        )

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Django's own function, by which it truncates moments there."""
        template = "django_datetime_cast_date(%(expressions)s, 'UTC')"
        return self.as_sql(compiler, connection, template=template, **context)
