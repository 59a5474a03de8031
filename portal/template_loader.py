"""Reads our own page templates without the indentation that they are written with.

A third of a page was spaces that nobody sees, sent again and again. Taken out once, when the template is
read; what is shown as it is written, and texts that are looked up as they are written, stay untouched.
"""

from __future__ import annotations

import re

from django.template import Origin
from django.template.loaders.filesystem import Loader as FileLoader

_INDENTED = re.compile(r"[ \t]*\n\s*")
# Parts in which a line break and the spaces after it mean something.
_AS_WRITTEN = re.compile(
    r"(<(pre|textarea)\b.*?</\2>"
    r"|{%\s*blocktrans(?:late)?\b(?:(?!trimmed|%}).)*%}.*?{%\s*endblocktrans(?:late)?\s*%}"
    r"|{%\s*verbatim\b.*?{%\s*endverbatim[^%]*%})",
    re.DOTALL,
)


class Loader(FileLoader):
    """Django's own, for templates of HTML without indentation."""

    def get_contents(self, origin: Origin) -> str:
        """The template's source. Raises TemplateDoesNotExist."""
        source = str(super().get_contents(origin))
        return outdented(source) if str(origin.name).endswith(".html") else source


def outdented(source: str) -> str:
    """The source with each line at the margin, and without empty lines; a line break stays one."""
    parts, end = [], 0
    for match in _AS_WRITTEN.finditer(source):
        parts += [_INDENTED.sub("\n", source[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, _INDENTED.sub("\n", source[end:])])
