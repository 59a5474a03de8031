"""Plain form fields are written as Django's own templates write them, to the byte."""

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.utils import translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _

from portal.widgets import WRITERS, QuickRenderer

HARD = """a "b" 'c' <d> & é {{ e }}"""
CHOICES = [("", "---"), (1, "One"), ("two", HARD), (3, mark_safe("<b>3</b>")), ("lazy", _("Yes"))]
GROUPED = [("", "none"), (HARD, [(1, 1000), (2, 2.5)]), ("Others", [("x", "X")])]
WIDGETS = [
    forms.TextInput({"class": "x", "title": HARD, "autofocus": True, "disabled": False, "size": 1000}),
    forms.NumberInput(),
    forms.EmailInput(),
    forms.URLInput(),
    forms.PasswordInput(render_value=True),
    forms.HiddenInput(),
    forms.DateInput(),
    forms.TimeInput(),
    forms.DateTimeInput(),
    forms.Textarea({"rows": 3}),
    forms.CheckboxInput(),
    forms.Select({"required": True}, choices=CHOICES),
    forms.Select(choices=GROUPED),
    forms.SelectMultiple(choices=CHOICES),
    forms.RadioSelect(choices=CHOICES),
    forms.CheckboxSelectMultiple(choices=CHOICES),
]  # fmt: skip
VALUES = [None, "", "two", HARD, mark_safe("<i>"), 1, 1000, True, ["1", "two"]]


@pytest.mark.parametrize("language", ["en-gb", "es", "ar"])
@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: type(widget).__name__)
def test_a_field_is_the_same_as_djangos(widget, value, language):
    with translation.override(language):
        ours = widget.render("a-name", value, {"id": "id_x"}, QuickRenderer())
        theirs = widget.render("a-name", value, {"id": "id_x"}, DjangoTemplates())

    assert ours == theirs


@pytest.mark.parametrize("wraps", [True, False])
def test_each_button_of_a_choice_is_the_same_as_djangos(wraps):
    def buttons(renderer):
        form = forms.Form(renderer=renderer)
        form.fields["a"] = forms.ChoiceField(choices=CHOICES, widget=forms.RadioSelect)
        return [box.tag(wrap_label=wraps) for box in form["a"]]

    assert buttons(QuickRenderer()) == buttons(DjangoTemplates())


def test_an_option_of_another_make_is_left_to_its_own_template():
    class Marked(forms.Select):
        option_template_name = "django/forms/widgets/input.html"

    one, other = (
        Marked(choices=CHOICES).render("a", "", {}, renderer())
        for renderer in (QuickRenderer, DjangoTemplates)
    )

    assert one == other


def test_what_is_written_here_is_a_template_of_djangos():
    for name in WRITERS:
        assert DjangoTemplates().get_template(name)
