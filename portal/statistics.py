"""What the database knows of its tables, brought up to date once many rows were written together."""

from __future__ import annotations

from django.apps import apps
from django.db import connection


def count_rows_of(app_label: str) -> None:
    """Have PostgreSQL look at each table of an app again. Call it inside the transaction that filled them.

    Its own look, where it comes while that transaction runs, finds them empty, and joins them as if they
    were until it looks again: for minutes. SQLite never looks by itself. Raises LookupError for no app of ours.
    """
    if connection.vendor != "postgresql":
        return
    models = apps.get_app_config(app_label).get_models(include_auto_created=True)
    tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in models)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {tables}")
