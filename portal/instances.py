"""Model instances made of rows of values, without the detour that `Model.__init__` takes for each field.

For reading by the hundred. What comes out is what Django makes after `only()`: a field that was not brought
is fetched when somebody asks for it. No signals; nothing here listens to any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from django.db.models import Model
from django.db.models.base import ModelState

M = TypeVar("M", bound=Model)


class Mould(Generic[M]):
    """Makes instances of one model from values in the order of `names`, which are `attname`s."""

    def __init__(self, model: type[M], names: Iterable[str]) -> None:
        self._model = model
        self.names = tuple(names)

    def cast(self, values: Sequence[Any], **related: Model | None) -> M:
        """A stored row. `related` are the rows that its foreign keys point to, by the fields' names."""
        row = self._model.__new__(self._model)
        row.__dict__.update(zip(self.names, values, strict=True))
        row._state = state = ModelState()
        state.adding, state.db = False, "default"
        if related:
            state.fields_cache = related
        return row
