"""The catalogue in the staff admin: what the sources say, and what the clinic decides and approves.

Lists come from Django; deciding and approving have pages of their own. Every write is an action.
"""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from portal import clock
from portal.models import User
from portal.permissions import clinics_where
from portal.staff_admin import link
from portal.staff_site import page
from procedures import actions, consent_pages, guide_admin, version_admin
from procedures.forms import ResolveForm, SlotForm
from procedures.models import (
    Disagreement,
    Fact,
    PathwayVersion,
    Procedure,
    Resolution,
    Slot,
    SlotValue,
    Source,
    Step,
)
from procedures.row_admin import PageAdmin, ReadOnlyAdmin, act

__all__ = ["guide_admin", "version_admin"]

consent_pages.add_pages(admin.site)


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin):
    """The documents that facts are drawn from."""

    list_display = ("key", "publisher", "jurisdiction", "audience")
    search_fields = ("key", "publisher", "title")
    fields = ("key", "title", "publisher", "jurisdiction", "audience", "scope", "quality_note")


@admin.register(Procedure)
class ProcedureAdmin(ReadOnlyAdmin):
    """Operations and their variants."""

    list_display = ("name", "parent", "audience", "also_called", "is_bookable")
    list_select_related = ("parent",)
    list_filter = ("audience", "is_bookable")
    search_fields = ("name", "aliases", "what_is_done")
    fields = (
        "name", "parent", "audience", "what_is_done", "also_called", "related", "code_system", "code",
    )  # fmt: skip

    @display(description=gettext_lazy("also called"))
    def also_called(self, row: Procedure) -> str:
        """The other names, in one line."""
        return ", ".join(row.aliases)


@admin.register(Fact)
class FactAdmin(ReadOnlyAdmin):
    """What the sources say."""

    list_display = (
        "key",
        "topic",
        "statement",
        "audience",
        "strength",
        "from_sources",
        "reviewed_on",
    )
    list_filter = ("audience", "strength", "sources")
    search_fields = ("key", "topic", "statement")
    fields = (
        "key", "topic", "statement", "offset_from", "offset_to", "unit", "anchor", "strength", "audience",
        "from_sources", "reviewed_by", "reviewed_on",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """With their sources."""
        return super().get_queryset(request).prefetch_related("sources")

    @display(description=gettext_lazy("sources"))
    def from_sources(self, row: Fact) -> str:
        """The keys of the documents."""
        return ", ".join(source.key for source in row.sources.all())


@admin.register(Disagreement)
class DisagreementAdmin(PageAdmin):
    """Points on which the sources differ, and what the person's clinics settled."""

    list_display = ("name", "question", "settled")
    list_display_links = None
    search_fields = ("key", "topic", "question")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """With what was settled at the person's clinics."""
        own = Resolution.objects.filter(clinic__in=clinics_where(request.user, "resolution.view"))
        own = own.select_related("clinic", "value", "resolved_by")
        return (
            super()
            .get_queryset(request)
            .prefetch_related(models.Prefetch("resolutions", own, "own_resolutions"))
        )

    @display(description=gettext_lazy("point"), ordering="key")
    def name(self, row: Disagreement) -> Any:
        """The point, as a link to its page."""
        return link("procedures_disagreement_change", row.pk, row)

    @display(description=gettext_lazy("settled"))
    def settled(self, row: Any) -> str:
        """What holds at the person's clinics."""
        return "; ".join(f"{r.clinic}: {r}{_demo(r)}" for r in row.own_resolutions)

    def row_page(self, request: HttpRequest, row: Disagreement) -> HttpResponse:
        """The values with their sources, what was settled, and the form for those who may."""
        clinics = clinics_where(request.user, "disagreement.resolve")
        form = None
        if clinics.exists():
            form = ResolveForm(request.POST or None, clinics=clinics, disagreement=row)
            if form.is_valid() and self._settle(request, row, form):
                return redirect("admin:procedures_disagreement_change", row.pk)
        elif request.method == "POST":
            raise PermissionDenied
        context = {
            "point": row,
            "values": row.values.prefetch_related("sources"),
            "resolutions": row.own_resolutions,  # type: ignore[attr-defined]  # by the prefetch
            "steps": _steps_that_need(request, disagreements=row),
            "form": form,
        }
        return page(request, "admin/procedures/disagreement.html", str(row), **context)

    def _settle(self, request: HttpRequest, row: Disagreement, form: ResolveForm) -> bool:
        data = form.cleaned_data
        return act(
            request,
            form,
            lambda: actions.resolve_disagreement(
                disagreement=row,
                clinic=data["clinic"],
                value=form.value,
                own_value=form.own_words,
                reason=data["reason"],
                by=cast("User", request.user),
                now=clock.now(),
            ),
            _("Settled."),
        )


@admin.register(Slot)
class SlotAdmin(PageAdmin):
    """What no source states, and what the person's clinics put there."""

    list_display = ("name_link", "kind", "hint", "filled")
    list_display_links = None
    list_filter = ("kind",)
    search_fields = ("key", "name", "hint")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """With what was filled in at the person's clinics."""
        own = SlotValue.objects.filter(clinic__in=clinics_where(request.user, "slotvalue.view"))
        own = own.select_related("clinic", "filled_by")
        return (
            super()
            .get_queryset(request)
            .prefetch_related(models.Prefetch("values", own, "own_values"))
        )

    @display(description=gettext_lazy("clinic slot"), ordering="name")
    def name_link(self, row: Slot) -> Any:
        """The slot, as a link to its page."""
        return link("procedures_slot_change", row.pk, row)

    @display(description=gettext_lazy("filled with"))
    def filled(self, row: Any) -> str:
        """What stands in it at the person's clinics."""
        return "; ".join(f"{v.clinic}: {v.value}{_demo(v)}" for v in row.own_values)

    def row_page(self, request: HttpRequest, row: Slot) -> HttpResponse:
        """What it is for, what stands in it, and the form for those who may."""
        clinics = clinics_where(request.user, "slot.fill")
        form = None
        if clinics.exists():
            form = SlotForm(request.POST or None, clinics=clinics, slot=row)
            if form.is_valid() and self._fill(request, row, form):
                return redirect("admin:procedures_slot_change", row.pk)
        elif request.method == "POST":
            raise PermissionDenied
        context = {
            "slot": row,
            "values": row.own_values,  # type: ignore[attr-defined]  # by the prefetch
            "steps": _steps_that_need(request, slots=row),
            "form": form,
        }
        return page(request, "admin/procedures/slot.html", str(row), **context)

    def _fill(self, request: HttpRequest, row: Slot, form: SlotForm) -> bool:
        data = form.cleaned_data
        return act(
            request,
            form,
            lambda: actions.fill_slot(
                slot=row,
                clinic=data["clinic"],
                value=data["value"],
                by=cast("User", request.user),
                now=clock.now(),
            ),
            _("Filled in."),
        )


def _demo(row: Resolution | SlotValue) -> str:
    return _(" (demo value)") if row.is_demo_value else ""


def _steps_that_need(request: HttpRequest, **what: Any) -> list[Step]:
    versions = PathwayVersion.objects.visible_to(request.user).exclude(status="retired")
    rows = Step.objects.filter(version__in=versions, **what).with_texts()
    return list(rows.select_related("version__pathway", "version__clinic"))
