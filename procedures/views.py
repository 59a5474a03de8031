"""The guide that patients, parents and staff read: a list with search, a procedure's pages, all of it to print."""

from __future__ import annotations

from typing import cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal import clock
from portal.models import Clinic, User
from procedures.guide import (
    Guide,
    Section,
    clinic_of_reader,
    guide_to,
    plans_of,
    sections_of,
    sections_of_all,
    topics,
)
from procedures.models import Page
from procedures.search import search


@require_http_methods(["GET"])
def guide_list(request: HttpRequest) -> HttpResponse:
    """Every procedure with a guide, or what fits the words that were searched for."""
    user = cast("User", request.user)
    clinic = clinic_of_reader(user)
    query = request.GET.get("q", "").strip()[:200]
    context = {
        "query": query,
        "hits": search(query, user.language, clinic=clinic) if query else [],
        "topics": topics(user.language),
        "clinic": clinic,
    }
    return render(request, "procedures/guide_list.html", context)


@require_http_methods(["GET"])
def guide(request: HttpRequest, procedure: str) -> HttpResponse:
    """The contents of one procedure's guide. Raises Http404."""
    found = _guide_or_404(request, procedure)
    user = cast("User", request.user)
    clinic = clinic_of_reader(user)
    plans = plans_of(found.procedure, clinic, user.language)
    context = {"guide": found, "crumbs": _crumbs(found), "plans": plans, "clinic": clinic}
    return render(request, "procedures/guide.html", context)


@require_http_methods(["GET"])
def guide_page(request: HttpRequest, procedure: str, page: str) -> HttpResponse:
    """One page of a guide, each section with where it comes from. Raises Http404."""
    found = _guide_or_404(request, procedure)
    keys = [row.key for row in found.pages]
    if page not in keys:
        raise Http404
    place = keys.index(page)
    row = found.pages[place]
    clinic = clinic_of_reader(cast("User", request.user))
    context = {
        "guide": found,
        "page": row,
        "clinic": clinic,
        "sections": sections_of(row, clinic),
        "next_page": found.pages[place + 1] if place + 1 < len(keys) else None,
        "crumbs": [*_crumbs(found, is_last=False), {"label": row.title}],
    }
    return render(request, "procedures/guide_page.html", context)


@require_http_methods(["GET"])
def guide_print(request: HttpRequest, procedure: str) -> HttpResponse:
    """The whole guide on one page, to print or to keep as a PDF. Raises Http404."""
    found = _guide_or_404(request, procedure)
    clinic = clinic_of_reader(cast("User", request.user))
    context = {
        "guide": found,
        "clinic": clinic,
        "chapters": _chapters(found, clinic),
        "has_no_file": "no-file" in request.GET,
        "crumbs": [*_crumbs(found, is_last=False), {"label": _("All on one page")}],
    }
    return render(request, "procedures/guide_print.html", context)


@require_http_methods(["GET"])
def guide_pdf(request: HttpRequest, procedure: str) -> HttpResponse:
    """The whole guide as a file to keep; the page to print where the file lacks letters. Raises Http404."""
    # 45 MiB of memory that no other page needs, and no worker.
    from procedures.pdf import LettersMissing, guide_as_pdf

    found = _guide_or_404(request, procedure)
    clinic = clinic_of_reader(cast("User", request.user))
    name = clinic.name if clinic else ""
    try:
        content = guide_as_pdf(found, _chapters(found, clinic), clinic=name, on=clock.today())
    except LettersMissing:
        url = reverse("procedures:guide_print", args=[found.procedure.key])
        return redirect(f"{url}?no-file")
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{found.procedure.key}.pdf"'},
    )


def _chapters(found: Guide, clinic: Clinic | None) -> list[tuple[Page, list[Section]]]:
    return list(zip(found.pages, sections_of_all(found.pages, clinic), strict=True))


def _guide_or_404(request: HttpRequest, key: str) -> Guide:
    found = guide_to(key, cast("User", request.user).language)
    if found is None:
        raise Http404
    return found


def _crumbs(found: Guide, *, is_last: bool = True) -> list[dict[str, str]]:
    here = {"label": found.procedure.name}
    if not is_last:
        here["url"] = reverse("procedures:guide", args=[found.procedure.key])
    return [{"label": _("Guide"), "url": reverse("procedures:guide_list")}, here]
