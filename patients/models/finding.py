"""The words under which patients are found, kept beside them so that a search reads an index and no table."""

from __future__ import annotations

import re
from typing import Any

from django.db import models
from django.db.models.lookups import In, Lookup

from patients.models.people import Patient
from patients.names import LONGEST_WORD


class Begins(Lookup):
    """`word__begins`: words that start so, by a range of the index on either database."""

    lookup_name = "begins"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """LIKE, which PostgreSQL turns into a range of the index for patterns."""
        left, values = self.process_lhs(compiler, connection)
        return f"{left} LIKE %s", (*values, re.sub(r"([\\\\%_])", r"\\\1", str(self.rhs)) + "%")

    def as_sqlite(
        self, compiler: Any, connection: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """GLOB, because LIKE looks past case there and reads every row."""
        left, values = self.process_lhs(compiler, connection)
        return f"{left} GLOB %s", (*values, re.sub(r"([*?\[])", r"[\1]", str(self.rhs)) + "*")


class Listed(In):
    """`id__listed`: as `in` with a subquery, which PostgreSQL then reads first, whatever it expects of it.

    Who is found by name stands together in a list by name. PostgreSQL takes them for scattered, and would walk the
    whole list from A on until it has a page of them.
    """

    lookup_name = "listed"

    def as_postgresql(
        self, compiler: Any, connection: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Among the elements of an array that is made once."""
        left, values = self.process_lhs(compiler, connection)
        right, more = self.process_rhs(compiler, connection)
        return f"{left} = ANY(ARRAY{right})", (*values, *more)


class PatientWord(models.Model):
    """One word under which one patient is found. `patients.actions.finding` keeps them; nothing else does."""

    id = models.BigAutoField(primary_key=True)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="words")
    word = models.CharField(max_length=LONGEST_WORD, db_index=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("patient", "word"), name="patient_word_once"),
        )

    def __str__(self) -> str:
        return self.word


models.CharField.register_lookup(Begins)
models.UUIDField.register_lookup(Listed)
