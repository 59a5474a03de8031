"""How names, numbers and addresses are compared: without accents, case, order of words or punctuation. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime
from difflib import SequenceMatcher

# What has no accent to take off, and is still written in two ways.
_SPELLINGS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)
_INSIDE_A_WORD = re.compile(r"['’‘`´.]")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_ONLY_A_NUMBER = re.compile(r"[\d\s()+/.\-]+")
# Digits in which a number with its country's code and one without it are the same.
_LAST_DIGITS = 9
FEWEST_DIGITS = 5
LONGEST_WORD = 60
# How alike two names are, from 0 to 1, to be taken for two spellings of one.
_ALIKE = 0.84


def fold(text: str) -> str:
    """The text in lower case, without accents and without the marks inside words: “O’Neíll” is “oneill”."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_SPELLINGS))
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _INSIDE_A_WORD.sub("", letters)


def words_of(text: str) -> list[str]:
    """The folded words of a text, in its order."""
    return [word[:LONGEST_WORD] for word in _BETWEEN_WORDS.split(fold(text)) if word]


def phone_words(phone: str) -> set[str]:
    """Under what a phone number is found: its digits, and the last ones, which are the same abroad."""
    digits = digits_of(phone)
    return {digits, digits[-_LAST_DIGITS:]} if len(digits) >= FEWEST_DIGITS else set()


def digits_of(text: str) -> str:
    """The digits of a text alone."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", text) if sign.isdigit())


def is_phone(text: str) -> bool:
    """Whether a text can be meant as a phone number: digits and what stands between them."""
    return bool(_ONLY_A_NUMBER.fullmatch(text)) and len(digits_of(text)) >= FEWEST_DIGITS


def phone_wanted(text: str) -> str:
    """What a number typed into a search is compared with; see `phone_words`."""
    digits = digits_of(text)
    return digits[-_LAST_DIGITS:] if len(digits) > _LAST_DIGITS else digits


def findable_under(
    *, names: Iterable[str], numbers: Iterable[str], phone: str, addresses: Iterable[str]
) -> set[str]:
    """Every word under which a search finds somebody."""
    found: set[str] = set(phone_words(phone))
    for name in names:
        parts = words_of(name)
        found |= {*parts, "".join(parts)[:LONGEST_WORD]}
    for number in numbers:
        found |= {*words_of(number), "".join(words_of(number))[:LONGEST_WORD]}
    for address in addresses:
        found |= {fold_address(address), *words_of(address.partition("@")[0])}
    return found - {""}


def fold_address(address: str) -> str:
    """A mail address as it is compared: lower case, nothing else taken away."""
    return address.strip().casefold()[:LONGEST_WORD]


def are_alike(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two (given, family) names can be one person's: in another order, short, or with a letter wrong."""
    mine, theirs = set(_whole(one).split()), set(_whole(other).split())
    if not mine or not theirs:
        return False
    fewer, more = sorted((mine, theirs), key=len)
    if len(fewer) >= 2 and fewer & more and all(_has_longer(word, more) for word in fewer):
        return True
    texts = (" ".join(sorted(mine)), " ".join(sorted(theirs)))
    return SequenceMatcher(None, *texts).ratio() >= _ALIKE


def _has_longer(word: str, words: set[str]) -> bool:
    """Whether the word is among these, or short for one of them: Pat for Patricia."""
    return word in words or (len(word) >= 3 and any(other.startswith(word) for other in words))


def _whole(name: tuple[str, str]) -> str:
    return " ".join(words_of(" ".join(name)))


def as_date(text: str) -> date | None:
    """A day that a person typed into a search, day before month; None for what is none."""
    for form in ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %B %Y", "%d %b %Y"):
        try:
            return datetime.strptime(text.strip(), form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None
