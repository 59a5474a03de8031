"""Staff pages on which a list of patients and operations is brought in, from the file to taking it back.

Each page shows what the state of the list asks for: its columns, how far the machine is, its rows.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from patients.actions import imports
from patients.import_forms import ColumnsForm, ListFile, RowForm, usual_order
from patients.importing.columns import FIELDS
from patients.importing.surroundings import text_of
from patients.importing.tables import MOST_BYTES
from patients.importing.words import in_words
from patients.models import ImportBatch, ImportRow
from portal import audit, clock
from portal.permissions import clinics_where, may, within
from portal.spreadsheets import as_csv
from portal.staff_forms import ConfirmForm, ReasonForm
from portal.staff_site import page, staff_of

LISTS_SHOWN = 30
ROWS_A_PAGE = 50
S, V = ImportBatch.Status, ImportRow.Verdict
# In which order the kinds of rows are offered: first what needs a person.
KINDS = (V.REFUSED, V.LIKELY, V.NEW, V.BOOK, V.CHANGE, V.SAME)


def add_pages(site: Any) -> None:
    """Serve the pages of this module in the admin."""
    site.add_page("imports/", lists, "imports")
    site.add_page("imports/empty-list/", empty_list, "imports_empty_list")
    site.add_page("imports/<uuid:pk>/", show, "import_page")
    site.add_page("imports/<uuid:pk>/progress/", progress, "import_progress")
    site.add_page("imports/<uuid:pk>/columns/", settle, "import_columns")
    site.add_page("imports/<uuid:pk>/row/", row, "import_row")
    site.add_page("imports/<uuid:pk>/enter/", enter, "import_enter")
    site.add_page("imports/<uuid:pk>/undo/", undo, "import_undo")


def _batch_or_404(request: HttpRequest, pk: UUID, right: str) -> ImportBatch:
    """A list of a clinic where the person holds `right`; the read is noted, for its rows name people."""
    rows = within(ImportBatch.objects.visible_to(request.user), request.user, right)
    batch: ImportBatch = get_object_or_404(rows.select_related("clinic", "uploaded_by"), pk=pk)
    audit.note_read(request, "import.view", obj=batch, clinic=batch.clinic, patient_id=None)
    return batch


# --- The lists, and a new one ----------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def lists(request: HttpRequest) -> HttpResponse:
    """The last lists, and a form for a new one."""
    clinics = clinics_where(request.user, "importbatch.add")
    form = ListFile(request.POST or None, request.FILES or None, clinics=clinics)
    if request.method == "POST":
        if not clinics.exists():
            raise PermissionDenied
        if form.is_valid():
            try:
                return redirect("admin:import_page", _staged(request, form).pk)
            except ValidationError as error:
                form.add_error("file", error)
    rows = within(ImportBatch.objects.visible_to(request.user), request.user, "importbatch.view")
    return page(
        request, "admin/patients/imports.html", _("Bring a list in"), form=form,
        lists=rows.select_related("clinic", "uploaded_by")[:LISTS_SHOWN],
    )  # fmt: skip


def _staged(request: HttpRequest, form: ListFile) -> ImportBatch:
    clinic, file = form.cleaned_data["clinic"], form.cleaned_data["file"]
    return imports.stage(
        clinic=clinic, content=file.read(MOST_BYTES + 1), file_name=file.name,
        date_order=usual_order(clinic), by=staff_of(request), now=clock.now(),
    )  # fmt: skip


@require_safe
def empty_list(request: HttpRequest) -> HttpResponse:
    """An empty list with the columns that are understood, to be filled in."""
    return as_csv(_("empty list"), [str(label) for label in FIELDS.values()], [])


# --- One list --------------------------------------------------------------------------------


@require_safe
def show(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One list, in the state it is in."""
    return _show(request, _batch_or_404(request, pk, "importbatch.view"))


def _show(
    request: HttpRequest, batch: ImportBatch, form: ColumnsForm | None = None
) -> HttpResponse:
    if batch.emptied_at is not None:
        return _page(request, batch, "admin/patients/import_emptied.html")
    if batch.is_moving:
        return _page(request, batch, "admin/patients/import_moving.html")
    if batch.status == S.READ or form is not None or "columns" in request.GET:
        return _columns_page(request, batch, form)
    return _rows_page(request, batch)


def _page(request: HttpRequest, batch: ImportBatch, template: str, **own: Any) -> HttpResponse:
    return page(
        request, template, str(batch), batch=batch, back_url=reverse("admin:imports"), **own
    )


def _columns_page(
    request: HttpRequest, batch: ImportBatch, form: ColumnsForm | None
) -> HttpResponse:
    if batch.status not in {S.READ, S.READY}:
        raise Http404
    samples = [row.cells for row in batch.rows.all()[:3]]
    shown = [
        (name, [cells.get(str(i), "") for cells in samples]) for i, name in enumerate(batch.columns)
    ]
    return _page(
        request, batch, "admin/patients/import_columns.html", form=form or ColumnsForm(batch=batch), columns=shown
    )  # fmt: skip


def _rows_page(request: HttpRequest, batch: ImportBatch) -> HttpResponse:
    counts = imports.counted(batch)
    kind = request.GET.get("kind", "")
    kind = kind if kind in counts else next((str(one) for one in KINDS if one in counts), "")
    part = Paginator(_of_kind(batch, kind), ROWS_A_PAGE).get_page(request.GET.get("page"))
    rows = list(part.object_list)
    known = [(batch.clinic, row.match_id or row.patient_id) for row in rows]
    audit.note_list(
        request,
        "import.rows",
        by=staff_of(request),
        rows=[(where, key) for where, key in known if key],
    )
    return _page(
        request, batch, "admin/patients/import_rows.html", counts=_labelled(counts), kind=kind, part=part,
        rows=[_shown(row, batch) for row in rows], fields=[FIELDS[name] for name in _columns_of(batch)],
        to_enter=sum(counts.get(str(one), 0) for one in (V.NEW, V.BOOK, V.CHANGE)), form=ConfirmForm(),
        may_enter=may(request.user, "importbatch.enter", batch.clinic_id),
    )  # fmt: skip


def _of_kind(batch: ImportBatch, kind: str) -> models.QuerySet[ImportRow]:
    """The rows that `imports.counted` counts under a kind."""
    rows = batch.rows.select_related("match", "patient", "episode").order_by("number")
    if kind == ImportRow.Choice.LEAVE_OUT:
        return rows.filter(choice=kind, state=ImportRow.State.WAITING)
    if kind in V.values:
        return rows.filter(verdict=kind, state=ImportRow.State.WAITING).exclude(
            choice=ImportRow.Choice.LEAVE_OUT
        )
    return rows.filter(state=kind)


def _labelled(counts: dict[str, int]) -> list[tuple[str, Any, int]]:
    """The kinds with their names, what needs a person first."""
    names: dict[str, Any] = {
        **{str(kind): kind.label for kind in KINDS},
        V.WAITING.value: V.WAITING.label,
        ImportRow.Choice.LEAVE_OUT.value: ImportRow.Choice.LEAVE_OUT.label,
        **{str(state): state.label for state in ImportRow.State if state != ImportRow.State.WAITING},
    }  # fmt: skip
    return [(kind, name, counts[kind]) for kind, name in names.items() if kind in counts]


def _columns_of(batch: ImportBatch) -> list[str]:
    return [name for name in FIELDS if name in batch.mapping]


def _shown(row: ImportRow, batch: ImportBatch) -> dict[str, Any]:
    cells = [
        {
            "text": text_of(row, name, batch),
            "problem": in_words(row.problems[name]) if name in row.problems else "",
            "was": row.changes[name][0] if name in row.changes else None,
            "is_changed": name in row.changes,
        }
        for name in _columns_of(batch)
    ]
    shown = set(_columns_of(batch))
    others = [
        f"{FIELDS[name]}: {in_words(code)}" if name in FIELDS else in_words(code)
        for name, code in row.problems.items()
        if name not in shown
    ]
    return {"row": row, "cells": cells, "others": others, "who": row.patient or row.match}


@require_safe
def progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far the machine is, for the page to ask again and again; once it is done the page is loaded anew."""
    rows = within(ImportBatch.objects.visible_to(request.user), request.user, "importbatch.view")
    batch = get_object_or_404(rows, pk=pk)
    answer = render(request, "admin/patients/_import_progress.html", {"batch": batch})
    if not batch.is_moving:
        answer["HX-Refresh"] = "true"
    return answer


# --- What a person does ----------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def settle(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say which column holds what, and have the rows compared."""
    batch = _batch_or_404(request, pk, "importbatch.add")
    if request.method != "POST":
        return redirect(f"{reverse('admin:import_page', args=[pk])}?columns=1")
    form = ColumnsForm(request.POST, batch=batch)
    if form.is_valid():
        try:
            imports.settle_columns(
                batch=batch, mapping=form.mapping, date_order=form.cleaned_data["date_order"], by=staff_of(request)
            )  # fmt: skip
            return redirect("admin:import_page", pk)
        except ValidationError as error:
            form.refuse(error)
    return _show(request, batch, form)


@require_http_methods(["GET", "POST"])
def row(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One row: mend what it says, say who it is, or leave it out. Then on to the next of its kind."""
    batch = _batch_or_404(request, pk, "importbatch.add")
    found = _row_or_404(request, batch)
    if batch.status != S.READY:
        return redirect("admin:import_page", pk)
    form = RowForm(request.POST or None, row=found, batch=batch)
    if request.method == "POST" and form.is_valid():
        try:
            return _mended(request, batch, found, form)
        except ValidationError as error:
            form.refuse(error)
    return page(
        request, "admin/patients/import_row.html", _("Row %(number)d") % {"number": found.number}, form=form,
        row=found, batch=batch, back_url=_rows_url(batch, found.verdict), match=found.match,
        others=_shown(found, batch)["others"],
    )  # fmt: skip


def _row_or_404(request: HttpRequest, batch: ImportBatch) -> ImportRow:
    """The row that the address names by its line; without one, the first that cannot be entered, or the first."""
    rows = batch.rows.select_related("match")
    line = request.GET.get("line", "")
    if line.isdigit():
        return get_object_or_404(rows, number=int(line))
    found = rows.filter(verdict=V.REFUSED).first() or rows.first()
    if found is None:
        raise Http404
    return found


def _mended(
    request: HttpRequest, batch: ImportBatch, found: ImportRow, form: RowForm
) -> HttpResponse:
    before = found.verdict
    imports.mend_row(
        row=found, texts=form.texts, choice=form.cleaned_data["choice"], by=staff_of(request), now=clock.now()
    )  # fmt: skip
    found.refresh_from_db()
    if found.verdict == V.REFUSED and found.choice != ImportRow.Choice.LEAVE_OUT:
        messages.warning(request, _("This row still cannot be entered."))
        return redirect(f"{reverse('admin:import_row', args=[batch.pk])}?line={found.number}")
    words = _("Row %(number)d: %(verdict)s.")
    messages.success(
        request, words % {"number": found.number, "verdict": found.get_verdict_display()}
    )
    return redirect(_rows_url(batch, before))


def _rows_url(batch: ImportBatch, kind: str) -> str:
    return f"{reverse('admin:import_page', args=[batch.pk])}?kind={kind}"


@require_http_methods(["GET", "POST"])
def enter(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Have every row entered that can be; a second press finds it done."""
    batch = _batch_or_404(request, pk, "importbatch.enter")
    form = ConfirmForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not imports.start_entering(batch=batch, by=staff_of(request), now=clock.now()):
            messages.info(request, _("This was done already; nothing was done twice."))
        return redirect("admin:import_page", pk)
    return redirect("admin:import_page", pk)


@require_http_methods(["GET", "POST"])
def undo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take everything back that a list entered, while nothing was sent about it."""
    batch = _batch_or_404(request, pk, "importbatch.undo")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                imports.start_undoing(
                    batch=batch, by=staff_of(request), now=clock.now(), reason=form.cleaned_data["reason"]
                )  # fmt: skip
            return redirect("admin:import_page", pk)
        except ValidationError as error:
            form.refuse(error)
    intro = _(
        "Patients and operations that this list added are removed, and details that it changed are set back, where "
        "nobody changed them since. What was recorded about them meanwhile stays, with its patient."
    )
    return page(
        request, "admin/form.html", _("Take back %(list)s") % {"list": batch}, form=form, intro=intro,
        button=_("Take everything back"), danger=True, back_url=reverse("admin:import_page", args=[pk]),
    )  # fmt: skip
