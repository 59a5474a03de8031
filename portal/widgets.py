"""Django's plain form fields, written in Python: the same HTML as its templates give, without their cost.

A choice of twenty costs Django forty templates. What is not named here is rendered by Django as ever;
a test compares the two, byte for byte (docs/decisions/0134).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString

Widget = Mapping[str, Any]
FOLDER = "django/forms/widgets/"
OPTIONS = frozenset(f"{FOLDER}{kind}_option.html" for kind in ("checkbox", "radio", "select"))


class QuickRenderer(DjangoTemplates):
    """Renders forms as Django does, and the plain fields faster."""

    def render(
        self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None
    ) -> str:
        """The HTML of a form's part."""
        write = WRITERS.get(template_name)
        if write is None or not _has_plain_options(context["widget"]):
            return str(super().render(template_name, context, request))
        return write(context["widget"]).strip()


def _has_plain_options(widget: Widget) -> bool:
    """Whether the options, if there are any, are Django's own too: the staff admin has some that are not."""
    return all(
        option["template_name"] in OPTIONS
        for _name, options, _index in widget.get("optgroups", ())
        for option in options
    )


def _attributes(widget: Widget) -> str:
    return "".join(
        f" {conditional_escape(name)}" + ("" if value is True else f'="{_as_text(value)}"')
        for name, value in widget["attrs"].items()
        if value is not False
    )


def _as_text(value: Any) -> str:
    """A value of an attribute: as it is, not in the numerals of a language."""
    return conditional_escape(value if isinstance(value, SafeString) else str(value))


def _shown(value: Any) -> str:
    """What people read."""
    return conditional_escape(localize(value))


def _input(widget: Widget) -> str:
    value = widget["value"]
    given = "" if value is None else f' value="{_as_text(value)}"'
    kind, name = _shown(widget["type"]), _shown(widget["name"])
    return f'<input type="{kind}" name="{name}"{given}{_attributes(widget)}>'


def _textarea(widget: Widget) -> str:
    value = widget["value"]
    text = _shown(value) if value else ""
    return f'<textarea name="{_shown(widget["name"])}"{_attributes(widget)}>\n{text}</textarea>'


def _select(widget: Widget) -> str:
    groups = "".join(_group(name, options) for name, options, _index in widget["optgroups"])
    return f'<select name="{_shown(widget["name"])}"{_attributes(widget)}>{groups}\n</select>'


def _group(name: Any, options: list[Widget]) -> str:
    rows = "".join(f"\n  {_option(option)}\n" for option in options)
    return f'\n  <optgroup label="{_shown(name)}">{rows}\n  </optgroup>' if name else rows


def _option(widget: Widget) -> str:
    value, label = _as_text(widget["value"]), _shown(widget["label"])
    return f'<option value="{value}"{_attributes(widget)}>{label}</option>'


def _choice(widget: Widget) -> str:
    """One radio button or check box of several, within its label where the widget asks for that."""
    box = _input(widget)
    if not widget.get("wrap_label"):
        return box
    key = widget["attrs"].get("id")
    begins = f'<label for="{_shown(key)}">' if key else "<label>"
    return f"{begins}{box}\n {_shown(widget['label'])}</label>"


WRITERS: Mapping[str, Callable[[Widget], str]] = {
    FOLDER + name: write
    for name, write in (
        *((f"{kind}.html", _input) for kind in (
            "checkbox", "date", "datetime", "email", "hidden", "input", "number", "password", "tel",
            "text", "time", "url",
        )),
        ("textarea.html", _textarea),
        ("select.html", _select),
        ("select_option.html", _option),
        ("radio_option.html", _choice),
        ("checkbox_option.html", _choice),
    )
}  # fmt: skip
