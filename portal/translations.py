"""Texts in other languages: finds them in the code, keeps the files of translations, compiles them.

All in Python, by Babel: nobody needs gettext's programs (docs/decisions/0120). What a person reads is
in `locale/<language>/LC_MESSAGES/django.po`; what Django reads is the `.mo` made from it, beside it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

APPS = ("portal", "procedures", "patients", "reminders")
# Texts are written in British English, so that language needs no file. These have a file with what differs.
SPARSE = {"en_US"}
KEYWORDS: dict[str, Any] = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
# Characters of a line in a file of translations.
WIDTH = 100

# A text as it stands in the code: (context or None, the text or its singular, its plural or "").
Key = tuple[str | None, str, str]


def texts(root: Path) -> Catalog:
    """Every text that the code and the templates mark for translation, with the files it stands in."""
    found = Catalog(charset="utf-8")
    for path, source in _sources(root):
        name = path.relative_to(root).as_posix()
        for _line, message, comments, context in _extract(source):
            found.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    return found


def _sources(root: Path) -> Iterator[tuple[Path, str]]:
    """Every file that may hold texts, as Python."""
    for app in APPS:
        for path in sorted((root / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path, path.read_text()
    for path in sorted((root / "templates").rglob("*")):
        if path.suffix in {".html", ".txt", ".svg"}:
            yield path, _as_python(path)


def _as_python(template: Path) -> str:
    """A template as Django shows it to gettext, without the indentation that is none to Python."""
    lines = templatize(template.read_text(), origin=str(template)).splitlines()
    return "\n".join(line.strip() for line in lines)


def _extract(source: str) -> Iterable[tuple[int, Any, list[str], str | None]]:
    return extract(
        "python", BytesIO(source.encode()), keywords=KEYWORDS, comment_tags=("Translators:",)
    )


def key(message: Any) -> Key:
    """What tells one text from another, of a message of Babel's."""
    if isinstance(message.id, str):
        return message.context, message.id, ""
    return message.context, message.id[0], message.id[1]


# --- The files -------------------------------------------------------------------------------


def files(locale: Path) -> list[Path]:
    """The files of translations, one for each language."""
    return sorted(locale.glob("*/LC_MESSAGES/*.po"))


def read(file: Path) -> Catalog:
    """A file of translations."""
    with file.open("rb") as stream:
        return read_po(stream, locale=file.parent.parent.name)


def bring_up_to_date(file: Path, found: Catalog) -> list[Key]:
    """Add what is new in the code, drop what is gone, keep what is translated. Returns what lacks a translation.

    A language of `SPARSE` lacks nothing; its file keeps what is translated alone.

    A new text is never given the translation of one that looks like it.
    """
    catalog = read(file)
    catalog.update(found, no_fuzzy_matching=True, update_creation_date=False)
    if file.parent.parent.name in SPARSE:
        _keep_translated(catalog)
    catalog.project, catalog.version, catalog.msgid_bugs_address = "Stepwise", "1", ""
    for message in catalog:
        files = sorted({name for name, _line in message.locations})
        message.locations = [(name, None) for name in files]  # type: ignore[misc]  # no line is written
    written = BytesIO()
    write_po(written, catalog, width=WIDTH, sort_by_file=True, ignore_obsolete=True)
    _replace(file, written.getvalue())
    return [key(message) for message in catalog if message.id and not is_translated(message)]


def _keep_translated(catalog: Catalog) -> None:
    for message in list(catalog):
        if message.id and not is_translated(message):
            catalog.delete(message.id, message.context)


def is_translated(message: Any) -> bool:
    """Whether every form has its words."""
    words = [message.string] if isinstance(message.string, str) else message.string
    return bool(words) and all(words)


# --- Compiling -------------------------------------------------------------------------------


def stale(locale: Path) -> list[Path]:
    """The files whose compiled form is missing or older."""
    return [file for file in files(locale) if _is_stale(file, file.with_suffix(".mo"))]


def _is_stale(file: Path, compiled: Path) -> bool:
    return not compiled.exists() or compiled.stat().st_mtime_ns < file.stat().st_mtime_ns


def compile_stale(locale: Path) -> list[Path]:
    """Compile what is not up to date; returns those files. Safe to run in several processes at once."""
    old = stale(locale)
    for file in old:
        written = BytesIO()
        write_mo(written, read(file))
        _replace(file.with_suffix(".mo"), written.getvalue())
    return old


def _replace(file: Path, content: bytes) -> None:
    """Write the whole file in one step: nobody ever reads half of it."""
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:
        new.write(content)
    Path(new.name).chmod(0o644)
    os.replace(new.name, file)  # noqa: PTH105 - its target is any path
