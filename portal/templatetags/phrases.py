"""Django's `i18n` tags, with one difference: a text without variables is looked up once for each language.

Settings put this library in the place of `i18n`. A page has some fifty such texts, and a look-up asks
one file of translations after the other.
"""

from __future__ import annotations

from typing import Any

from django.template import Context, Node, Variable
from django.template.base import Parser, Token
from django.templatetags import i18n
from django.utils.translation import get_language

register = i18n.register.__class__()
register.tags = dict(i18n.register.tags)
register.filters = dict(i18n.register.filters)


class Phrase(Node):
    """A text that is the same for every page in one language. What Django's own node gives is kept."""

    child_nodelists = ()

    def __init__(self, node: i18n.TranslateNode) -> None:
        self.node = node
        self.name = node.asvar
        self.known: dict[str | None, str] = {}

    def render(self, context: Context) -> str:
        """The text in the language in force."""
        language = get_language()
        if self.name is None:
            text = self.known.get(language)
            if text is None:
                text = self.known[language] = self.node.render(context)
            return text
        if language not in self.known:
            self.node.render(context)
            self.known[language] = context[self.name]
        context[self.name] = self.known[language]
        return ""


def _is_fixed(expression: Any) -> bool:
    """Whether an expression is a text between quotation marks and nothing else."""
    variable = expression.var
    if expression.filters or not isinstance(variable, Variable):
        return False
    return variable.lookups is None and isinstance(variable.literal, str)


@register.tag("trans")
@register.tag("translate")
def translate(parser: Parser, token: Token) -> Node:
    """As Django's `translate`."""
    node = i18n.do_translate(parser, token)
    context = node.message_context
    is_fixed = _is_fixed(node.filter_expression) and (
        context is None or isinstance(context.var, str)
    )
    return Phrase(node) if is_fixed else node
