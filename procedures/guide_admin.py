"""The guide in the staff admin: what a clinic's readers get, section by section, and the clinic's own words."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal import clock
from portal.models import Clinic
from portal.permissions import clinics_where
from portal.staff_site import page as staff_page
from portal.staff_site import staff_of
from procedures import guide_actions
from procedures.forms import ReturnForm, WordsForm
from procedures.guide import read_with, sections_of
from procedures.models import ClinicWords, Page, PageSection
from procedures.row_admin import PageAdmin, act


@admin.register(Page)
class GuidePageAdmin(PageAdmin):
    """The pages that patients and parents read."""

    list_display = ("title", "procedure", "audience", "language", "position")
    list_select_related = ("procedure",)
    list_filter = ("language", "procedure", "audience")
    search_fields = ("title", "summary", "sections__body")

    def row_page(self, request: HttpRequest, row: Page) -> HttpResponse:
        """A page as readers of a clinic get it, or one of its sections with the form for its words."""
        clinic = _clinic(request)
        if "section" in request.GET:
            section = row.sections.filter(key=request.GET["section"]).first()
            if section is None:
                raise Http404
            return _Desk(request, section, clinic).answer()
        if request.method == "POST":
            raise PermissionDenied
        rows = ClinicWords.objects.last_of_each().filter(page=row, clinic=clinic)
        last = {words.section_key: words for words in rows.select_related("written_by")}
        context = {
            "page_row": row,
            "clinic": clinic,
            "clinics": clinics_where(request.user, "page.view"),
            "sections": [(one, last.get(one.key)) for one in sections_of(row, clinic)],
            "may_change": _may_change(request, clinic),
            "siblings": Page.objects.filter(key=row.key).exclude(pk=row.pk),
        }
        return staff_page(request, "admin/procedures/guide_page.html", str(row), **context)


def _clinic(request: HttpRequest) -> Clinic:
    """The clinic that was asked for, else the person's first. Raises Http404 for one of others."""
    own = clinics_where(request.user, "page.view").order_by("name")
    wanted = request.GET.get("clinic")
    for clinic in own:
        if wanted in (None, str(clinic.pk)):
            return clinic
    raise Http404


def _may_change(request: HttpRequest, clinic: Clinic) -> bool:
    return clinics_where(request.user, "page.change").filter(pk=clinic.pk).exists()


class _Desk:
    """One section at one clinic, with its words, its history and the forms of those who may change it."""

    def __init__(self, request: HttpRequest, section: PageSection, clinic: Clinic) -> None:
        self.request, self.section, self.clinic = request, section, clinic
        rows = ClinicWords.objects.filter(page=section.page, section_key=section.key, clinic=clinic)
        self.history = list(rows.select_related("written_by").order_by("-number"))
        self.last = self.history[0] if self.history else None
        is_own = self.last is not None and self.last.kind == ClinicWords.Kind.OWN
        self.own = self.last if is_own else None
        self.may_change = _may_change(request, clinic)
        self.proposed: ClinicWords | None = None

    def answer(self) -> HttpResponse:
        """The section's page; a POST looks at new words, saves them, or goes back to the catalogue's."""
        form, back = self._words_form(), self._return_form()
        if self.request.method == "POST" and not self.may_change:
            raise PermissionDenied
        is_done = (
            self._return(back) if back.is_bound else self._save(form) if form.is_bound else False
        )
        if is_done:
            query = urlencode({"clinic": self.clinic.pk})
            url = reverse("admin:procedures_page_change", args=[self.section.page_id])
            return redirect(f"{url}?{query}#{self.section.key}")
        return self._show(form, back)

    def _words_form(self) -> WordsForm:
        words: Any = self.own or self.section
        seen = self.last.number if self.last else 0
        initial = {"heading": words.heading, "body": words.body, "seen": seen}
        is_sent = self.request.method == "POST" and "back" not in self.request.POST
        return WordsForm(self.request.POST if is_sent else None, initial=initial)

    def _return_form(self) -> ReturnForm:
        is_sent = "back" in self.request.POST
        seen = self.last.number if self.last else 0
        return ReturnForm(self.request.POST if is_sent else None, initial={"seen": seen})

    def _save(self, form: WordsForm) -> bool:
        """Save what was looked at; otherwise propose it, to be looked at."""
        if not form.is_valid():
            return False
        words = {name: form.cleaned_data[name] for name in ("heading", "body")}
        if "save" in self.request.POST and form.was_shown:
            common = self._common(form.cleaned_data["seen"])
            message = _("Saved. Your readers get these words from now on.")
            if act(
                self.request, form, lambda: guide_actions.write_words(**words, **common), message
            ):
                return True
        self.proposed = ClinicWords(**words)
        data = self.request.POST.copy()
        data["shown"] = form.digest
        form.data = data
        return False

    def _return(self, form: ReturnForm) -> bool:
        message = _("Your readers get the catalogue's words again.")
        return form.is_valid() and act(
            self.request,
            form,
            lambda: guide_actions.return_to_catalogue(**self._common(form.cleaned_data["seen"])),
            message,
        )

    def _common(self, seen: int) -> dict[str, Any]:
        return {
            "section": self.section,
            "clinic": self.clinic,
            "seen": seen,
            "by": staff_of(self.request),
            "now": clock.now(),
        }

    def _show(self, form: WordsForm, back: ReturnForm) -> HttpResponse:
        proposed = self.proposed and read_with(self.section, self.proposed, self.clinic)
        context = {
            "section": self.section,
            "clinic": self.clinic,
            "current": read_with(self.section, self.own, self.clinic),
            "catalogue": read_with(self.section, None, self.clinic),
            "own": self.own,
            "has_moved_on": self.own is not None and self.own.instead_of != self.section.body,
            "history": self.history,
            "proposed": proposed,
            "form": form,
            "back": back,
            "may_change": self.may_change,
        }
        title = f"{self.section.page}: {self.section.heading}"
        return staff_page(self.request, "admin/procedures/guide_section.html", title, **context)
