"""The catalogue in the staff admin: what the sources say, and what the clinic decides and approves.

Lists come from Django; deciding and approving have pages of their own. Every write is an action.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from portal import clock
from portal.permissions import clinics_where
from portal.staff_admin import ClinicFilter, StaffAdmin, link
from portal.staff_forms import StaffForm
from portal.staff_site import page
from procedures import actions
from procedures.approval import blockers, slot_values
from procedures.forms import ApproveForm, ResolveForm, SlotForm
from procedures.models import (
    Disagreement,
    Fact,
    Page,
    PathwayVersion,
    Procedure,
    Resolution,
    Slot,
    SlotValue,
    Source,
    Step,
    StepText,
)
from procedures.querysets import ApprovedVersionIsFinal
from procedures.timeline import draw
from procedures.timing import when
from procedures.wording import UnfilledPlaceholder, clinic_values, placeholders_in, render


class ReadOnlyAdmin(StaffAdmin):
    """Rows of the catalogue that come from its files and are read here."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Everything is read and nothing is written."""
        return [field for field in self.get_fields(request, obj) if field]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows come from the files."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows come from the files."""
        return False


class PageAdmin(ReadOnlyAdmin):
    """Rows that have a page of our own instead of Django's form."""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The row's own page. 404 for a row of another clinic, as for one that does not exist."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return self.row_page(request, row)

    def row_page(self, request: HttpRequest, row: Any) -> HttpResponse:
        """The page of `row`. Each class makes its own."""
        raise NotImplementedError


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
            "resolutions": row.own_resolutions,  # type: ignore[attr-defined]
            "steps": _steps_that_need(request, disagreements=row),
            "form": form,
        }
        return page(request, "admin/procedures/disagreement.html", str(row), **context)

    def _settle(self, request: HttpRequest, row: Disagreement, form: ResolveForm) -> bool:
        data = form.cleaned_data
        return _act(
            request,
            form,
            lambda: actions.resolve_disagreement(
                disagreement=row,
                clinic=data["clinic"],
                value=form.value,
                own_value=form.own_words,
                reason=data["reason"],
                by=request.user,  # type: ignore[arg-type]
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
            "values": row.own_values,  # type: ignore[attr-defined]
            "steps": _steps_that_need(request, slots=row),
            "form": form,
        }
        return page(request, "admin/procedures/slot.html", str(row), **context)

    def _fill(self, request: HttpRequest, row: Slot, form: SlotForm) -> bool:
        data = form.cleaned_data
        return _act(
            request,
            form,
            lambda: actions.fill_slot(
                slot=row,
                clinic=data["clinic"],
                value=data["value"],
                by=request.user,  # type: ignore[arg-type]
                now=clock.now(),
            ),
            _("Filled in."),
        )


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
        language = request.user.language  # type: ignore[union-attr]
        context = {
            "version": row,
            "blockers": blockers(row) if row.is_draft else None,
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
        return _act(
            request,
            form,
            lambda: actions.approve_version(
                version=row,
                by=request.user,  # type: ignore[arg-type]
                now=clock.now(),
                review_on=form.cleaned_data["review_on"],
            ),
            _("Approved. New episodes are booked on it."),
        )

    def _begin(self, request: HttpRequest, row: PathwayVersion, form: StaffForm) -> bool:
        return _act(
            request,
            form,
            lambda: actions.begin_draft(version=row, by=request.user),  # type: ignore[arg-type]
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
            actions.edit_text(text=stored, by=request.user, **parts)  # type: ignore[arg-type]
        except ApprovedVersionIsFinal as error:
            raise PermissionDenied(str(error)) from error


@admin.register(Page)
class GuidePageAdmin(ReadOnlyAdmin):
    """The pages that patients and parents read."""

    list_display = ("title", "procedure", "audience", "language", "position")
    list_select_related = ("procedure",)
    list_filter = ("language", "procedure", "audience")
    search_fields = ("title", "summary", "sections__body")
    fields = ("title", "procedure", "audience", "language", "summary")


def _act(request: HttpRequest, form: StaffForm, action: Any, message: str) -> bool:
    """Carry `action` out once. What it refuses stands in the form; True when it is done."""
    try:
        with transaction.atomic():
            if form.act_once():
                action()
    except ValidationError as error:
        form.refuse(error)
        return False
    messages.success(request, message)
    return True


def _demo(row: Resolution | SlotValue) -> str:
    return _(" (demo value)") if row.is_demo_value else ""


def _steps_of(version: PathwayVersion) -> list[Step]:
    rows = version.steps.select_related("offset_slot", "version")
    return list(rows.prefetch_related("texts", "facts", "disagreements", "slots"))


def _steps_that_need(request: HttpRequest, **what: Any) -> list[Step]:
    versions = PathwayVersion.objects.visible_to(request.user).exclude(status="retired")
    rows = Step.objects.filter(version__in=versions, **what).with_texts()
    return list(rows.select_related("version__pathway", "version__clinic"))


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
