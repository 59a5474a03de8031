"""Django's `url` tag, with one difference: a page without parts that vary, or named by keys alone, is looked up once.

Settings put it in the place of Django's own.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.template import Context, Library
from django.template.base import FilterExpression, Parser, Token
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as django_url
from django.urls import NoReverseMatch
from django.utils.html import conditional_escape

from portal.addresses import address

register = Library()


class Link(URLNode):
    """An address. What is not named by keys alone is left to Django's own node."""

    def __init__(self, node: URLNode) -> None:
        super().__init__(node.view_name, node.args, node.kwargs, node.asvar)
        self.view = _fixed(node.view_name)

    def render(self, context: Context) -> str:
        """The address, or nothing where the tag keeps it under a name. Raises NoReverseMatch without one."""
        keys = [argument.resolve(context) for argument in self.args]
        if self.kwargs or not self.view or not all(isinstance(key, UUID) for key in keys):
            return str(super().render(context))
        try:
            found = address(self.view, *keys)
        except NoReverseMatch:
            return str(super().render(context))
        if self.asvar:
            context[self.asvar] = found
            return ""
        return str(conditional_escape(found)) if context.autoescape else found


def _fixed(expression: FilterExpression) -> str:
    """The name of a view that stands between quotation marks; else nothing."""
    name: Any = expression.var
    return str(name) if isinstance(name, str) and not expression.filters else ""


@register.tag
def url(parser: Parser, token: Token) -> Link:
    """As Django's `url`."""
    return Link(django_url(parser, token))
