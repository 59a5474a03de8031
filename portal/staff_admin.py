"""What every list of the staff admin has in common: rights from the table, rows of one's own clinics, no removal.

An admin class writes through actions, or not at all; Django's own log of changes is not kept,
because the audit trail has one door.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from portal.permissions import CLINIC_PATHS, clinics_where, may, within


class StaffAdmin(ModelAdmin):
    """A list for staff. `noun` is the name under which the table of rights knows the model."""

    actions = ()
    list_per_page = 50
    # Neither the whole table nor a filtered one is counted: both are slow where it is long.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = InfinitePaginator
    compressed_fields = True
    list_filter_sheet = True

    @property
    def noun(self) -> str:
        """The model's name in the table of rights."""
        return str(self.opts.model_name)

    def may(self, request: HttpRequest, verb: str, obj: models.Model | None = None) -> bool:
        """Whether the right `noun.verb` is held: at the row's clinic, or at any clinic without a row."""
        return may(request.user, f"{self.noun}.{verb}", self.clinic_of(obj) if obj else None)

    def clinic_of(self, obj: models.Model) -> Any:
        """The clinic that a row belongs to; None for what belongs to no single one."""
        path = CLINIC_PATHS.get(self.noun, "")
        if path in {"", "pk", "roles__clinic"}:
            return obj.pk if path == "pk" else None
        for name in path.split("__"):
            obj = getattr(obj, name)
        return obj

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the model shows in menus."""
        return self.may(request, "view")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the table says."""
        return self.may(request, "view", obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """As the table says; what it does not name cannot be added here."""
        return self._has("add", request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the table says; what it does not name cannot be changed here."""
        return self._has("change", request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody removes a record in the admin."""
        return False

    def _has(self, verb: str, request: HttpRequest, obj: Any = None) -> bool:
        try:
            return self.may(request, verb, obj)
        except KeyError:
            return False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """The rows at the clinics where the person may see this kind of row."""
        rows = super().get_queryset(request)
        if self.noun not in CLINIC_PATHS:
            return rows
        if hasattr(rows, "visible_to"):
            rows = rows.visible_to(request.user)
        return within(rows, request.user, f"{self.noun}.view")

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        """Answer 404, for a row of another clinic as for one that does not exist."""
        raise Http404

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is no second history: the audit trail has it."""
        raise Http404

    def log_addition(self, *args: Any, **kwargs: Any) -> Any:
        """Keep nothing: actions write the audit trail."""

    def log_change(self, *args: Any, **kwargs: Any) -> Any:
        """Keep nothing: actions write the audit trail."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Refuse to write a model past its actions. Raises TypeError; classes with a form override it."""
        raise TypeError(f"{self.noun} is changed through its actions.")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the list under its own name, without an invitation to select something to change."""
        title = str(self.opts.verbose_name_plural).capitalize()
        return super().changelist_view(request, {"title": title, **(extra_context or {})})


class ClinicFilter(admin.SimpleListFilter):
    """By clinic, for those who work at several; nobody is shown the name of a clinic that is not theirs."""

    title = _("clinic")
    parameter_name = "clinic"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The person's clinics, where there are at least two."""
        clinics = list(clinics_where(request.user, f"{model_admin.noun}.view")[:100])
        return [(str(row.pk), row.name) for row in clinics] if len(clinics) > 1 else []

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        """The rows of the clinic that was chosen from the list; one that is not on it changes nothing."""
        known = {key for key, _name in self.lookup_choices}
        if self.value() not in known:
            return queryset
        path = CLINIC_PATHS[str(queryset.model._meta.model_name)]
        return queryset.filter(**{path: self.value()})


def link(name: str, pk: Any, text: Any) -> SafeString:
    """A link to a page of the admin, for a column of a list."""
    return format_html(
        '<a class="sw-link" href="{}">{}</a>', reverse(f"admin:{name}", args=[pk]), text
    )
