"""Forms with which staff bring a list in: the file, what its columns hold, and one row to mend."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from patients.importing.columns import FIELDS, REQUIRED
from patients.importing.surroundings import text_of
from patients.importing.words import in_words
from patients.models import DateOrder, ImportBatch, ImportRow
from portal.models import Clinic
from portal.staff_forms import StaffForm

# Which order a clinic writes its dates in; everywhere else the day comes first.
MONTH_FIRST = frozenset({"en-us"})
_WRONG = '<span class="sw-errors">{}</span>'


def usual_order(clinic: Clinic) -> str:
    """The order of dates that people at a clinic use."""
    is_month_first = clinic.language in MONTH_FIRST
    return DateOrder.MONTH_FIRST if is_month_first else DateOrder.DAY_FIRST


class ListFile(StaffForm):
    """The file with the list, and at which clinic."""

    clinic = forms.ModelChoiceField(Clinic.objects.none(), label=_("Clinic"), empty_label=None)
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV or Excel (.xlsx), 10,000 rows and 5 MB at most. The first row names the columns."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
    )  # fmt: skip

    def __init__(self, *args: Any, clinics: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_rows("clinic", clinics)


class ColumnsForm(StaffForm):
    """What each column holds, and in which order dates are written."""

    date_order = forms.ChoiceField(
        label=_("Dates are written as"), choices=DateOrder.choices, widget=forms.RadioSelect
    )

    def __init__(self, *args: Any, batch: ImportBatch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(str(i), name or f"{i + 1}") for i, name in enumerate(batch.columns)]
        for name, label in FIELDS.items():
            self.fields[name] = forms.ChoiceField(
                label=label, required=name in REQUIRED, choices=[("", _("not in the list")), *named],
                initial=str(batch.mapping.get(name, "")),
            )  # fmt: skip
        self.fields["date_order"].initial = batch.date_order
        self.redress()

    @property
    def mapping(self) -> dict[str, int]:
        """The chosen columns, by field."""
        chosen = {name: self.cleaned_data.get(name) for name in FIELDS}
        return {name: int(column) for name, column in chosen.items() if column}


class RowForm(StaffForm):
    """What one row says, to be mended, and what is to become of it."""

    choice = forms.ChoiceField(label=_("This row"), required=False, widget=forms.RadioSelect)

    def __init__(self, *args: Any, row: ImportRow, batch: ImportBatch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shown = [name for name in FIELDS if name in batch.mapping or name in row.problems]
        for name in shown:
            problem = row.problems.get(name)
            self.fields[name] = forms.CharField(
                label=FIELDS[name], required=False, max_length=500, initial=text_of(row, name, batch),
                help_text=format_html(_WRONG, in_words(problem)) if problem else "",
            )  # fmt: skip
            # Said beside the field, and asked only when the row is compared: who leaves a row out mends nothing.
            self.fields[name].required = name in REQUIRED and not self.is_bound
        self.offer("choice", _choices(row))
        self.fields["choice"].initial = row.choice
        self.order_fields([*shown, "choice"])
        self.redress()

    @property
    def texts(self) -> dict[str, str]:
        """What the fields say."""
        own = {"ticket", "choice"}
        return {name: value.strip() for name, value in self.cleaned_data.items() if name not in own}


def _choices(row: ImportRow) -> list[tuple[str, Any]]:
    is_refused = row.verdict == ImportRow.Verdict.REFUSED
    first = (
        _("is compared again, as it stands above")
        if is_refused
        else _("is entered as it was compared")
    )
    choices: list[tuple[str, Any]] = [("", first)]
    is_doubtful = row.verdict == ImportRow.Verdict.LIKELY or row.choice in {
        ImportRow.Choice.SAME_PERSON,
        ImportRow.Choice.NEW_PERSON,
    }
    if is_doubtful and row.match is None:
        choices = [
            ("", _("is not decided yet")),
            (ImportRow.Choice.NEW_PERSON.value, _("is another person")),
        ]
    if is_doubtful and row.match is not None:
        who = f"{row.match.name}, {date_format(row.match.birth_date, 'j F Y')}, {row.match.record_number}"
        choices = [
            ("", _("is not decided yet")),
            (ImportRow.Choice.SAME_PERSON.value, _("is the same person: %(who)s") % {"who": who}),
            (ImportRow.Choice.NEW_PERSON.value, _("is another person")),
        ]
    return [*choices, (ImportRow.Choice.LEAVE_OUT.value, _("is left out"))]
