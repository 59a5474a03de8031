"""Which rows of the catalogue: versions and steps in force, and what a member of staff may see.

Versions, steps and words also refuse to change in bulk what has been approved.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from portal.models import Clinic

if TYPE_CHECKING:
    from portal.models import User


class ApprovedVersionIsFinal(TypeError):
    """An approved pathway version, or a step or text of one, was about to change."""

    def __init__(self) -> None:
        super().__init__(
            "An approved pathway version and its steps never change. "
            "Change a draft, then approve it."
        )


class FinalOnceApproved(models.QuerySet):
    """Rows of a pathway version. Every bulk write asks first whether an approved version is among them."""

    status_path = "status"

    def refuse_approved(self) -> None:
        """Raise ApprovedVersionIsFinal if a row here belongs to a version that is not a draft."""
        if self.exclude(**{self.status_path: "draft"}).exists():
            raise ApprovedVersionIsFinal

    def update(self, **values: Any) -> int:
        """As Django's, for drafts only."""
        self.refuse_approved()
        return super().update(**values)

    def delete(self) -> tuple[int, dict[str, int]]:
        """As Django's, for drafts only."""
        self.refuse_approved()
        return super().delete()

    def bulk_update(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> int:
        """As Django's, for drafts only."""
        rows = list(objs)
        self.filter(pk__in=[row.pk for row in rows]).refuse_approved()
        return super().bulk_update(rows, *args, **kwargs)


class PartOfVersion(FinalOnceApproved):
    """Rows below a version, which cannot be added to an approved one either."""

    owner = "version"

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """As Django's, for drafts only."""
        rows = list(objs)
        owner: Any = self.model._meta.get_field(self.owner).related_model
        owners = owner._default_manager
        owners.filter(pk__in={getattr(row, f"{self.owner}_id") for row in rows}).refuse_approved()
        return super().bulk_create(rows, *args, **kwargs)


class PathwayVersionQuerySet(FinalOnceApproved):
    """Versions by clinic and state."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The versions of the clinics a member of staff works at."""
        return self.filter(clinic__in=Clinic.objects.visible_to(user))

    def approved(self) -> Self:
        """The versions that episodes can be booked on."""
        return self.filter(status="active")

    def drafts(self) -> Self:
        """The versions that nobody has approved yet."""
        return self.filter(status="draft")


class StepQuerySet(PartOfVersion):
    """Steps with what the planner and the pages need of them."""

    status_path = "version__status"

    def with_texts(self) -> Self:
        """Fetch the words with the steps, in one further query."""
        return self.prefetch_related("texts")


class StepTextQuerySet(PartOfVersion):
    """The words of steps."""

    status_path = "step__version__status"
    owner = "step"


class ClinicWordsQuerySet(models.QuerySet):
    """What clinics wrote in place of the catalogue's words of the guide."""

    def last_of_each(self) -> Self:
        """The last row of each section at each clinic."""
        newer = self.model._default_manager.filter(
            page=models.OuterRef("page"),
            section_key=models.OuterRef("section_key"),
            clinic=models.OuterRef("clinic"),
            number__gt=models.OuterRef("number"),
        )
        return self.exclude(models.Exists(newer))

    def in_force(self) -> Self:
        """What readers get now: the last row, where it holds words."""
        return self.last_of_each().filter(kind="own")
