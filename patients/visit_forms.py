"""Forms about visits: a reader's wish for another time, and the clinic's answer to it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.forms import VisitTime


class AskMoveForm(forms.Form):
    """Why another time, and when would suit."""

    reason = forms.CharField(
        label=gettext_lazy("Why do you need another time?"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    wishes = forms.CharField(
        label=gettext_lazy("When would suit you?"),
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("For example: Tuesdays, or any day after 3 pm."),
    )


class AnswerWish(VisitTime):
    """Another time, or the same, with a word to the patient."""

    answer = forms.ChoiceField(
        label=gettext_lazy("Answer"),
        choices=(
            ("move", gettext_lazy("Move the visit")),
            ("keep", gettext_lazy("Keep the time")),
        ),
        widget=forms.RadioSelect,
        initial="move",
    )
    reply = forms.CharField(
        label=gettext_lazy("Reply to the patient"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy(
            "The patient, and their carers, read this. Needed where the time stays."
        ),
    )
    field_order = ("answer", "on", "at", "reply")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.data.get("answer") == "keep":
            # Nobody should have to mend a day that is not used.
            self.fields["on"].required = self.fields["at"].required = False

    def clean_on(self) -> Any:
        """Refuse an impossible day, where the visit moves at all."""
        if self.data.get("answer") == "keep":
            return None
        return super().clean_on()

    def clean(self) -> dict[str, Any]:
        """Refuse to keep a time without a word."""
        values = super().clean() or {}
        if values.get("answer") == "keep" and not values.get("reply", "").strip():
            self.add_error("reply", ValidationError(_("Say why the time has to stay.")))
        return values

    @property
    def decided(self) -> dict[str, Any]:
        """What the action takes."""
        values = self.cleaned_data
        moves = values["answer"] == "move"
        return {
            "reply": values["reply"],
            "on": values["on"] if moves else None,
            "at": values["at"] if moves else None,
        }
