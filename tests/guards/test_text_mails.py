"""Plain-text mails are not HTML-escaped, HTML ones are, and every template compiles."""

from pathlib import Path

import pytest
from django.conf import settings
from django.template import TemplateSyntaxError, engines
from django.template.base import Template, VariableNode
from django.template.defaulttags import AutoEscapeControlNode
from django.template.loader_tags import BlockNode, ExtendsNode

ROOT = Path(settings.BASE_DIR, "templates")
ALL = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file())
MAILS = [name for name in ALL if "/email/" in f"/{name}"]
TEXTS = [name for name in MAILS if name.endswith(".txt")]


def compiled(source: str) -> Template:
    return engines["django"].engine.from_string(source)  # type: ignore[attr-defined]  # Django's has one


def escaped(nodes, is_off: bool = False) -> list[str]:
    """The variables that stand outside `autoescape off`, in the nodes and all that they hold."""
    found = []
    for node in nodes:
        if isinstance(node, VariableNode) and not is_off and not is_plain(node):
            found.append(str(node.filter_expression))
        off_inside = not node.setting if isinstance(node, AutoEscapeControlNode) else is_off
        for attribute in getattr(node, "child_nodelists", ()):
            found += escaped(getattr(node, attribute, None) or (), off_inside)
        found += translated(node, is_off)
    return found


def translated(node, is_off: bool) -> list[str]:
    """The variables inside `{% blocktranslate %}`, which are escaped as the context says."""
    if type(node).__name__ != "BlockTranslateNode" or is_off:
        return []
    return [
        token.contents
        for token in (*node.singular, *(node.plural or ()))
        if token.token_type.name == "VAR"
    ]


def is_plain(node: VariableNode) -> bool:
    return any(
        getattr(filter_, "__name__", "") == "safe" for filter_, _ in node.filter_expression.filters
    )


def test_there_are_mails_to_look_at():
    assert len(TEXTS) >= 3


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_mail_is_not_escaped(name):
    assert escaped(compiled((ROOT / name).read_text()).nodelist) == []


@pytest.mark.parametrize("name", [name for name in MAILS if name.endswith(".html")])
def test_an_html_mail_never_switches_escaping_off(name):
    source = (ROOT / name).read_text()

    assert "autoescape off" not in source


@pytest.mark.parametrize("name", MAILS)
def test_every_kind_of_mail_has_both_parts(name):
    if not Path(name).name.startswith("_") and name.endswith(".html"):
        assert name.replace(".html", ".txt") in ALL


@pytest.mark.parametrize("name", [name for name in ALL if name.endswith((".html", ".txt"))])
def test_every_template_compiles(name):
    compiled((ROOT / name).read_text())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{{ name }}", ["name"]),
        ("{% block a %}{{ name }}{% endblock %}", ["name"]),
        ("{% if a %}{{ b }}{% endif %}", ["b"]),
        ("{% autoescape off %}{{ a }}{% endautoescape %}{{ b }}", ["b"]),
        ("{% load i18n %}{% blocktranslate %}Dear {{ name }}{% endblocktranslate %}", ["name"]),
        ("{% autoescape off %}{% if a %}{{ b }}{% endif %}{% endautoescape %}", []),
        ("{{ name|safe }}", []),
    ],
)
def test_a_planted_fault_is_found(source, found):
    assert escaped(compiled(source).nodelist) == found


def test_a_template_that_does_not_compile_is_found():
    with pytest.raises(TemplateSyntaxError):
        compiled("{% if %}")


def test_the_nodes_that_hold_nodes_are_known():
    assert BlockNode.child_nodelists == ("nodelist",)
    assert ExtendsNode.must_be_first
