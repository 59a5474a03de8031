"""Versions of pathways in the staff admin: what blocks a draft, its steps, picture and words; and approval."""

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
from portal.staff_admin import ClinicFilter, StaffAdmin, link
from portal.staff_forms import StaffForm
from portal.staff_site import page
from procedures import actions
from procedures.approval import blockers, missing_words, slot_values
from procedures.forms import ApproveForm
from procedures.models import PathwayVersion, Step, StepText
from procedures.querysets import ApprovedVersionIsFinal
from procedures.row_admin import PageAdmin, act
from procedures.timeline import draw
from procedures.timing import when
from procedures.wording import UnfilledPlaceholder, clinic_values, placeholders_in, render


@admin.register(PathwayVersion)
class PathwayVersionAdmin(PageAdmin):
    """Versions of pathways: what blocks a draft, its steps, its picture, its words; and approval."""

    list_display = ("name", "clinic", "state", "approved_by", "approved_at", "review_on")
    list_display_links = None
    list_filter = ("status", ClinicFilter)
    list_select_related = ("pathway", "clinic", "approved_by")
    search_fields = ("pathway__name",)

    @display(description=gettext_lazy("version"), ordering="pathway__name")
    def name(self, row: PathwayVersion) -> Any:
        """The version, as a link to its page."""
        return link("procedures_pathwayversion_change", row.pk, row)

    @display(
        description=gettext_lazy("state"),
        ordering="status",
        label={"draft": "info", "active": "success", "retired": ""},
    )
    def state(self, row: PathwayVersion) -> Any:
        """Draft, approved or retired."""
        return row.status, row.get_status_display()

    def row_page(self, request: HttpRequest, row: PathwayVersion) -> HttpResponse:
        """Everything about a version; a POST approves it, or begins the next draft."""
        may_approve = row.is_draft and self.may(request, "approve", row)
        may_begin = not row.is_draft and self.may(request, "add", row)
        form = ApproveForm(request.POST or None)
        if request.method == "POST":
            return self._change(request, row, form, may_approve=may_approve, may_begin=may_begin)
        return self._show(request, row, form, may_approve=may_approve, may_begin=may_begin)

    def _show(
        self, request: HttpRequest, row: PathwayVersion, form: StaffForm, **may: bool
    ) -> HttpResponse:
        steps = _steps_of(row)
        slots = slot_values(row)
        language = cast("User", request.user).language
        context = {
            "version": row,
            "blockers": blockers(row) if row.is_draft else None,
            "missing_words": missing_words(steps) if row.is_draft else [],
            "picture": draw(steps, slots, language),
            "samples": _samples(row, steps, slots),
            "form": form,
            **may,
        }
        return page(request, "admin/procedures/version.html", str(row), **context)

    def _change(
        self,
        request: HttpRequest,
        row: PathwayVersion,
        form: ApproveForm,
        *,
        may_approve: bool,
        may_begin: bool,
    ) -> HttpResponse:
        if not (may_approve if "approve" in request.POST else may_begin):
            raise PermissionDenied
        is_done = form.is_valid() and (
            self._approve(request, row, form)
            if "approve" in request.POST
            else self._begin(request, row, form)
        )
        if is_done:
            return redirect("admin:procedures_pathwayversion_changelist")
        return self._show(request, row, form, may_approve=may_approve, may_begin=may_begin)

    def _approve(self, request: HttpRequest, row: PathwayVersion, form: ApproveForm) -> bool:
        return act(
            request,
            form,
            lambda: actions.approve_version(
                version=row,
                by=cast("User", request.user),
                now=clock.now(),
                review_on=form.cleaned_data["review_on"],
            ),
            _("Approved. New episodes are booked on it."),
        )

    def _begin(self, request: HttpRequest, row: PathwayVersion, form: StaffForm) -> bool:
        return act(
            request,
            form,
            lambda: actions.begin_draft(version=row, by=cast("User", request.user)),
            _("There is a new draft to work on."),
        )


@admin.register(StepText)
class StepTextAdmin(StaffAdmin):
    """The words of steps. Those of a draft can be edited."""

    list_display = ("title", "step", "version", "language", "subject")
    list_filter = ("language", "step__version__status")
    list_select_related = ("step__version__pathway", "step__version__clinic")
    search_fields = ("title", "subject", "step__key")
    fields = ("where", "subject", "title", "todo", "body")
    readonly_fields = ("where",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """The words of the person's clinics' versions."""
        clinics = clinics_where(request.user, "steptext.view")
        return super().get_queryset(request).filter(step__version__clinic__in=clinics)

    def clinic_of(self, obj: models.Model) -> Any:
        """The clinic whose version it is."""
        return obj.step.version.clinic if isinstance(obj, StepText) else None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the table says, for drafts."""
        is_open = obj is None or obj.step.version.is_draft
        return is_open and super().has_change_permission(request, obj)

    @display(description=gettext_lazy("version"))
    def version(self, row: StepText) -> str:
        """The version and its clinic."""
        return f"{row.step.version} ({row.step.version.clinic})"

    @display(description=gettext_lazy("step"))
    def where(self, row: StepText) -> str:
        """Which step of which version, and its moment."""
        moment = when(row.step, slot_values(row.step.version))
        return f"{row.step.version}, {row.step.key}, {row.get_language_display()}: {moment}"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Store through the action."""
        stored = self.get_queryset(request).get(pk=obj.pk)
        parts = {name: form.cleaned_data[name] for name in form.changed_data}
        try:
            actions.edit_text(text=stored, by=cast("User", request.user), **parts)
        except ApprovedVersionIsFinal as error:
            raise PermissionDenied(str(error)) from error


def _steps_of(version: PathwayVersion) -> list[Step]:
    rows = version.steps.select_related("offset_slot", "version")
    return list(rows.prefetch_related("texts", "facts", "disagreements", "slots"))


def _samples(
    version: PathwayVersion, steps: list[Step], slots: dict[str, str]
) -> list[dict[str, Any]]:
    """Every text of a version as its reader would get it, with stand-ins for what a patient brings."""
    values = clinic_values(version.clinic)
    return [
        {"step": step, "text": text, "when": when(step, slots), "wording": _sample(text, values)}
        for step in steps
        for text in sorted(step.texts.all(), key=lambda text: text.language)
    ]


def _sample(text: StepText, values: dict[str, str]) -> Any:
    names = placeholders_in(text.subject, text.title, text.todo, text.body)
    stand_ins = {name: f"[{name.replace('_', ' ')}]" for name in names if ":" not in name}
    try:
        return render(text, {**stand_ins, **values})
    except UnfilledPlaceholder as error:
        waiting = {name: f"[{name}]" for name in error.names}
        return render(text, {**stand_ins, **values, **waiting})
