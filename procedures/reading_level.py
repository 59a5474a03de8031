"""How hard a text is to read, as the age it asks for. Pure; English only.

The formula is the Flesch-Kincaid grade level (Kincaid and others, 1975):
0.39 words/sentence + 11.8 syllables/word - 15.59, and the age is the grade and five years.
"""

from __future__ import annotations

import re

from procedures.markdown import to_text

# Words that a text cannot do without and that the team explains in person. Each counts as a word of
# two syllables: that is the tolerance for medical terms.
MEDICAL_TERMS = frozenset(
    """
    anaesthetic anesthetic anaesthetist anesthesiologist physiotherapy physiotherapist
    physiotherapists occupational therapist therapists surgery surgeon surgeons hospital medicine
    medicines operation osteotomy periacetabular intertrochanteric femoral pelvis arthritis
    osteoarthritis dysplasia impingement cartilage infection appointment exercise exercises
    emergency wheelchair dietician allergy allergies nicotine antibiotics derotation rotation
    cerebral palsy epidural acetabular replacement realignment
    """.split()  # noqa: SIM905 - a list of words is easier to keep in order like this
)
_SOUNDED_ENDINGS = ("ses", "zes", "xes", "ces", "ges", "ches", "shes", "ted", "ded", "ies")
_SENTENCE_END = re.compile(r"[.!?:](?=\s|$)|\n\s*\n|\n(?=- |\d+\. )")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
_VOWELS = re.compile(r"[aeiouy]+")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def reading_age(markdown: str) -> float:
    """The age in years at which the text can be read. A placeholder counts as the word “name”.

    An empty text can be read at five.
    """
    text = _PLACEHOLDER.sub("name", to_text(markdown))
    sentences = [part for part in _SENTENCE_END.split(text) if _WORD.search(part)]
    words = _WORD.findall(text)
    if not words:
        return 5.0
    syllables = sum(map(syllables_in, words))
    grade = 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59
    return max(0.0, grade) + 5


def syllables_in(word: str) -> int:
    """The syllables of an English word, by its groups of vowels; two for a medical term."""
    plain = word.lower().replace("’", "'").split("'")[0]
    if plain in MEDICAL_TERMS:
        return 2
    groups = len(_VOWELS.findall(plain))
    if plain.endswith("e") and not plain.endswith(("le", "ee", "ye")) and groups > 1:
        groups -= 1
    if plain.endswith(("es", "ed")) and not plain.endswith(_SOUNDED_ENDINGS):
        groups -= 1 if groups > 1 else 0
    return max(1, groups)
