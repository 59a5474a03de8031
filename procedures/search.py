"""Search over procedures, their other names, and the guide's text, forgiving about spelling.

The catalogue is small and the same on every database, so it is searched here and not by the
database: words are brought to one spelling (British or American, plural or not, with or without
accents and hyphens) and to one of several words for the same thing, and a near miss counts a little.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from portal.models import Clinic
from procedures.guide import own_words, pages_in
from procedures.models import ClinicWords, Page, PageSection, Procedure

# Words that mean the same to somebody who searches, brought to the first of each line.
SAME = (
    ("surgery", "operation", "procedure", "op"),
    ("child", "kid", "paediatric", "boy", "girl", "son", "daughter", "baby"),
    ("turning", "turn", "rotation", "derotation", "rotational", "derotational", "twist"),
    ("metalwork", "metal", "hardware", "screw", "plate", "implant"),
    ("anaesthetic", "anaesthesia", "anesthesiologist", "anaesthetist"),
    ("physiotherapy", "physio", "physiotherapist", "therapy", "therapist"),
    ("xray", "radiograph", "radiography"),
    ("driving", "drive", "car"),
    ("walking", "walk", "crutch", "crutches"),
    ("pain", "hurt", "painful", "sore", "ache"),
    ("removal", "remove", "out"),
)
# Words that say nothing about what is looked for.
EMPTY = frozenset(
    "a an and are at be can do for from have how i in is it my of on or the to we what when with".split()  # noqa: SIM905
)
# British spellings inside words; both sides come out the same.
SPELLINGS = (
    ("ae", "e"),
    ("oe", "e"),
    ("our", "or"),
    ("isation", "ization"),
    ("ise", "ize"),
    ("tre", "ter"),
)
# How near a word has to be to count as a slip of the pen, and what it is worth then.
NEAR, NEAR_WORTH = 0.82, 0.6
# Guides share pages: no more hits than this are given of one procedure, so that each has its turn.
OF_ONE_PROCEDURE = 2
TITLE, NAME, TEXT = 3.0, 4.0, 1.0


@dataclass(frozen=True, slots=True)
class Hit:
    """One result: a procedure, with a page that fits if it has any."""

    procedure: Procedure
    page: Page | None
    score: float
    extract: str


@dataclass(frozen=True, slots=True)
class _Document:
    procedure: Procedure
    page: Page | None
    weighted: tuple[tuple[float, frozenset[str]], ...]
    extract: str
    names: tuple[frozenset[str], ...] = ()


def search(query: str, language: str, *, clinic: Clinic | None = None, most: int = 12) -> list[Hit]:
    """What fits the query, best first, in the words that readers of `clinic` get.

    Words of no meaning are left out; at least half of the rest must fit.
    """
    wanted = [word for word in words(query) if word not in EMPTY][:12]
    if not wanted:
        return []
    hits = [hit for document in _documents(language, clinic) if (hit := _hit(document, wanted))]
    return _each_in_turn(sorted(hits, key=lambda hit: -hit.score))[:most]


def _each_in_turn(hits: Iterable[Hit]) -> list[Hit]:
    """The hits without a page that was given before, and not too many of one procedure."""
    given: dict[str, list[Page | None]] = defaultdict(list)
    kept = []
    for hit in hits:
        pages = given[hit.procedure.key]
        if hit.page not in pages and len(pages) < OF_ONE_PROCEDURE:
            pages.append(hit.page)
            kept.append(hit)
    return kept


def words(text: str) -> list[str]:
    """The words of a text, each brought to one spelling and to one of several names for a thing."""
    plain = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    plain = re.sub(r"(?<=\w)[-'’](?=\w)", "", plain)
    return [_canonical(word) for word in re.findall(r"[a-z0-9]+", plain)]


@lru_cache(maxsize=20_000)
def _canonical(word: str) -> str:
    stem = _stem(word)
    return _GROUPS.get(stem, stem)


def _stem(word: str) -> str:
    for british, american in SPELLINGS:
        word = word.replace(british, american)
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word


_GROUPS = {_stem(word): _stem(group[0]) for group in SAME for word in group} | {"children": "child"}


def _hit(document: _Document, wanted: Sequence[str]) -> Hit | None:
    worths = [_worth(word, document) for word in wanted]
    if sum(worth > 0 for worth in worths) * 2 < len(wanted):
        return None
    score = sum(worths) + NAME * _named(frozenset(wanted), document.names)
    return Hit(document.procedure, document.page, score, document.extract)


def _named(wanted: frozenset[str], names: Iterable[frozenset[str]]) -> float:
    """How much of one of its names was searched for: 1 for a whole name, 0 for no word of any."""
    return max((len(wanted & name) / len(name) for name in names if name), default=0.0)


def _worth(word: str, document: _Document) -> float:
    return max((weight * _fit(word, found) for weight, found in document.weighted), default=0.0)


def _fit(word: str, found: frozenset[str]) -> float:
    if word in found:
        return 1.0
    if len(word) < 4:
        return 0.0
    return NEAR_WORTH if any(_is_near(word, other) for other in found) else 0.0


@lru_cache(maxsize=50_000)
def _is_near(word: str, other: str) -> bool:
    if len(word) >= 5 and word in other:
        return True
    if abs(len(word) - len(other)) > 3 or len(other) < 4:
        return False
    matcher = SequenceMatcher(None, word, other)
    return matcher.quick_ratio() >= NEAR and matcher.ratio() >= NEAR


def _documents(language: str, clinic: Clinic | None) -> Iterable[_Document]:
    pages = pages_in(language)
    words_of_clinic = own_words(pages, clinic)
    texts: dict[object, list[PageSection | ClinicWords]] = {}
    for section in PageSection.objects.filter(page__in=pages):
        text = words_of_clinic.get((section.page_id, section.key), section)
        texts.setdefault(section.page_id, []).append(text)
    for procedure in Procedure.objects.all():
        own = [page for page in pages if page.procedure_id == procedure.pk]
        yield _procedure_document(procedure, own[0] if own else None)
        for page in own:
            yield _page_document(page, procedure, texts.get(page.pk, []))


def _procedure_document(procedure: Procedure, first: Page | None) -> _Document:
    names = " ".join([procedure.name, *procedure.aliases, *_audience(procedure.audience)])
    return _Document(
        procedure=procedure,
        page=first,
        weighted=(
            (NAME, frozenset(words(names))),
            (TEXT, frozenset(words(procedure.what_is_done))),
            (TEXT / 2, frozenset(words(" ".join(procedure.related)))),
        ),
        extract=procedure.what_is_done,
        names=_names(procedure),
    )


def _page_document(
    page: Page, procedure: Procedure, sections: Sequence[PageSection | ClinicWords]
) -> _Document:
    headings = " ".join([page.title, page.summary, *(section.heading for section in sections)])
    body = " ".join(section.body for section in sections)
    names = " ".join([procedure.name, *procedure.aliases, *_audience(page.audience)])
    return _Document(
        procedure=procedure,
        page=page,
        weighted=(
            (TITLE, frozenset(words(headings))),
            (TEXT, frozenset(words(body))),
            (TEXT, frozenset(words(names))),
        ),
        extract=page.summary,
        names=_names(procedure),
    )


def _names(procedure: Procedure) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(words(name)) for name in (procedure.name, *procedure.aliases))


def _audience(audience: str) -> list[str]:
    return {"child": ["child"], "adult": ["adult"]}.get(audience, ["child", "adult"])
