"""Staff pages about a clinic's consents: the list, a draft, and publishing it after reading it as patients will."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from portal import clock
from portal.models import Clinic, Language
from portal.permissions import clinics_where, may, within
from portal.staff_forms import ConfirmForm, StaffForm
from portal.staff_site import page, staff_of
from procedures.consent_actions import publish_consent, save_consent_draft
from procedures.markdown import to_html
from procedures.models import Audience, ConsentForm

LANGUAGES = (Language.BRITISH_ENGLISH, Language.SPANISH, Language.ARABIC)


def add_pages(site: Any) -> None:
    """Serve the pages of this module in the admin."""
    site.add_page("consents/", consent_forms, "consent_forms")
    site.add_page("consents/new/", draft, "consent_form_new")
    site.add_page("consents/<uuid:pk>/", consent_form, "consent_form")
    site.add_page("consents/<uuid:pk>/change/", draft, "consent_form_change")


class DraftForm(StaffForm):
    """A consent in up to three languages. Markdown, without HTML."""

    clinic = forms.ModelChoiceField(
        Clinic.objects.none(), label=gettext_lazy("Clinic"), empty_label=None
    )
    key = forms.SlugField(
        label=gettext_lazy("Short name"), max_length=60,
        help_text=gettext_lazy("For example: surgery. Versions of one consent share it."),
    )  # fmt: skip
    audience = forms.ChoiceField(
        label=gettext_lazy("For"), choices=Audience.choices, initial=Audience.ANY
    )

    def __init__(self, *args: Any, clinics: Any, before: ConsentForm | None, **kwargs: Any) -> None:
        kwargs.setdefault("initial", _initial(before) if before else {})
        super().__init__(*args, **kwargs)
        self.offer_rows("clinic", clinics)
        if before is not None:
            del self.fields["clinic"], self.fields["key"]
        for language in LANGUAGES:
            label = {"language": language.label}
            self.fields[f"title_{language}"] = forms.CharField(
                label=_("Title, %(language)s") % label, max_length=150, required=False
            )
            self.fields[f"body_{language}"] = forms.CharField(
                label=_("Text, %(language)s") % label, required=False,
                widget=forms.Textarea(attrs={"rows": 10}),
            )  # fmt: skip

    @property
    def words(self) -> dict[str, dict[str, str]]:
        """What was written, by language; a language without a word is left out."""
        found = {}
        for language in LANGUAGES:
            one = {part: self.cleaned_data[f"{part}_{language}"] for part in ("title", "body")}
            if any(one.values()):
                found[str(language)] = one
        return found


def _initial(before: ConsentForm) -> dict[str, str]:
    words = before.words.items()
    values = {f"{part}_{name}": one[part] for name, one in words for part in ("title", "body")}
    return {"audience": before.audience, **values}


def _rows(request: HttpRequest, right: str) -> Any:
    return within(ConsentForm.objects.select_related("clinic", "published_by"), request.user, right)


@require_safe
def consent_forms(request: HttpRequest) -> HttpResponse:
    """Every version of every consent of the person's clinics."""
    return page(
        request, "admin/procedures/consent_forms.html", _("Consents"),
        rows=_rows(request, "consentform.view"), may_add=may(request.user, "consentform.add"),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def draft(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """Write a new consent, or the next version of one."""
    before = get_object_or_404(_rows(request, "consentform.add"), pk=pk) if pk else None
    clinics = clinics_where(request.user, "consentform.add")
    form = DraftForm(request.POST or None, clinics=clinics, before=before)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            row = save_consent_draft(
                clinic=before.clinic if before else values["clinic"],
                key=before.key if before else values["key"],
                audience=values["audience"], words=form.words, by=staff_of(request), now=clock.now(),
            )  # fmt: skip
            return redirect("admin:consent_form", row.pk)
        except ValidationError as error:
            form.refuse(error)
    title = (
        _("A new version of “%(title)s”") % {"title": before.title}
        if before
        else _("A new consent")
    )
    return page(
        request, "admin/form.html", title, form=form, button=_("Save the draft and read it")
    )


@require_http_methods(["GET", "POST"])
def consent_form(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One version as patients read it, and for a draft the button that publishes it."""
    row = get_object_or_404(_rows(request, "consentform.view"), pk=pk)
    may_publish = may(request.user, "consentform.publish", row.clinic_id)
    if request.method == "POST" and may_publish:
        if publish_consent(form=row, by=staff_of(request), now=clock.now()):
            messages.success(request, _("It is published. Patients read it from now on."))
        return redirect("admin:consent_form", pk)
    texts = [(language, one["title"], to_html(one["body"])) for language, one in row.words.items()]
    return page(
        request, "admin/procedures/consent_form.html", str(row), row=row, texts=texts,
        confirm=ConfirmForm(), may_publish=may_publish and row.status == ConsentForm.Status.DRAFT,
        may_add=may(request.user, "consentform.add", row.clinic_id),
    )  # fmt: skip
