"""What every list of the staff admin has in common: rights from the table, rows of one's own clinics, no removal.

An admin class writes through actions, or not at all; Django's own log of changes is not kept,
because the audit trail has one door.
"""

from __future__ import annotations

import html
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator
from unfold.views import ChangeList

from portal import private_search
from portal.permissions import CLINIC_PATHS, clinics_where, may, within
from portal.spreadsheets import as_csv

# Rows of one export at most; who needs more narrows the list down, and keeps an overview of what leaves.
MOST_EXPORTED = 10_000


class PrivateChangeList(ChangeList):
    """A list that shows the words of a search, and keeps their mark in its addresses."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.query: str = private_search.words_behind(request, self.query or "")


class StaffAdmin(ModelAdmin):
    """A list for staff. `noun` is the name under which the table of rights knows the model."""

    actions: tuple[str, ...] = ()
    list_per_page = 50
    # Neither the whole table nor a filtered one is counted: both are slow where it is long.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = InfinitePaginator
    compressed_fields = True
    list_filter_sheet = True
    # A page of rows at a time is acted on: whoever acts has seen each of them.
    list_disable_select_all = True
    list_before_template = "admin/_list_tools.html"

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

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Lists whose searches stay out of addresses."""
        return PrivateChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """The rows that fit the words behind the mark in the address."""
        words = private_search.words_behind(request, search_term)
        return self.search(request, queryset, words), False

    def search(
        self, request: HttpRequest, rows: models.QuerySet[Any], words: str
    ) -> models.QuerySet[Any]:
        """The rows that fit what somebody typed."""
        found, has_doubles = super().get_search_results(request, rows, words)
        return found.distinct() if has_doubles else found

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list under its own name; take a search, or hand the list out, where a form asked for it."""
        if request.method == "POST" and self.has_view_permission(request):
            if "export" in request.POST:
                return self.export(request)
            if "q" in request.POST and "action" not in request.POST:
                return private_search.to_marked_address(request)
        title = str(self.opts.verbose_name_plural).capitalize()
        tools = {"may_export": self.may_export(request)}
        return super().changelist_view(request, {"title": title, **tools, **(extra_context or {})})

    def may_export(self, request: HttpRequest) -> bool:
        """Whether the person may take this list away as a file."""
        return self._has("export", request)

    def export(self, request: HttpRequest) -> HttpResponse:
        """The list as it is filtered and searched, as CSV. Raises PermissionDenied."""
        if not self.may_export(request):
            raise PermissionDenied
        rows = within(self.rows_shown(request), request.user, f"{self.noun}.export")
        chosen = list(rows[:MOST_EXPORTED])
        self.note_export(request, chosen)
        shown = [name for name in self.list_display if name not in self.not_exported]
        columns = [*shown, *self.also_exported]
        heads = [label_for_field(name, self.model, self) for name in columns]
        cells = ([self._cell(name, row) for name in columns] for row in chosen)
        return as_csv(str(self.opts.verbose_name_plural), heads, cells)

    # Columns that say what to do next, and mean nothing in a file.
    not_exported: frozenset[str] = frozenset({"to_do", "what_to_do"})
    # Fields that only a file shows.
    also_exported: tuple[str, ...] = ()

    def rows_shown(self, request: HttpRequest) -> models.QuerySet[Any]:
        """The rows of the list with the filters and the search of the request's address."""
        rows: models.QuerySet[Any] = self.get_changelist_instance(request).get_queryset(request)
        return rows

    def note_export(self, request: HttpRequest, rows: list[Any]) -> None:
        """Note what leaves; lists of patients say of whom."""

    def _cell(self, name: str, row: Any) -> str:
        _field, _attribute, value = lookup_field(name, row, self)
        # A label comes as its colour and its words.
        value = value[-1] if isinstance(value, tuple) else value
        # A link is its words; what only looks like HTML stays as it is.
        text = "" if value is None else str(value)
        return html.unescape(strip_tags(text)) if hasattr(value, "__html__") else text


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


class LeadingAdmin(StaffAdmin):
    """Lists whose rows have a page of their own outside Django's: opening one leads there."""

    def page_of(self, row: Any) -> tuple[str, Any]:
        """The name of a row's page in the admin, and the key it is asked for by."""
        raise NotImplementedError

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead to the page of the row."""
        row = self.get_object(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        name, key = self.page_of(row)
        return redirect(f"admin:{name}", key)
