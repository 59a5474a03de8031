"""How hard a text is to read: for English the age it asks for, for Spanish how easy it is. Pure.

The English formula is the Flesch-Kincaid grade level (Kincaid and others, 1975):
0.39 words/sentence + 11.8 syllables/word - 15.59, and the age is the grade and five years. The Spanish one
is that of Szigriszt-Pazos (1993): 206.835 - 62.3 syllables/word - words/sentence; on the INFLESZ scale more
than 65 is quite easy.
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
# The same in Spanish; each counts as a word of three syllables.
SPANISH_MEDICAL_TERMS = frozenset(
    """
    fisioterapia fisioterapeuta terapeuta terapeutas radiografía radiografías medicina medicinas
    anestesia anestesista articulación recuperación infección emergencia operación ocupacional
    periacetabular cartílago osteotomía alergias nicotina
    """.split()  # noqa: SIM905 - as above
)
_SOUNDED_ENDINGS = ("ses", "zes", "xes", "ces", "ges", "ches", "shes", "ted", "ded", "ies")
_SENTENCE_END = re.compile(r"[.!?:](?=\s|$)|\n\s*\n|\n(?=- |\d+\. )")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
_SPANISH_WORD = re.compile(r"[A-Za-zÁÉÍÓÚÜÑáéíóúüñ]+")
_SPANISH_NUCLEUS = re.compile(r"[iuüy]?[aeoáéó][iuüy]?(?![íú])|[íú]|[iuüy]+")
_VOWELS = re.compile(r"[aeiouy]+")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def reading_age(markdown: str) -> float:
    """The age in years at which the text can be read. A placeholder counts as the word “name”.

    An empty text can be read at five.
    """
    words, sentences = _measured(markdown, _WORD)
    if not words:
        return 5.0
    syllables = sum(map(syllables_in, words))
    grade = 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59
    return max(0.0, grade) + 5


def spanish_ease(markdown: str) -> float:
    """How easy a Spanish text is: from 0, very hard, to 100. A placeholder counts as one short word."""
    words, sentences = _measured(markdown, _SPANISH_WORD)
    if not words:
        return 100.0
    syllables = sum(map(spanish_syllables_in, words))
    return 206.835 - 62.3 * syllables / len(words) - len(words) / sentences


def _measured(markdown: str, word: re.Pattern[str]) -> tuple[list[str], int]:
    """The words of a text and the number of its sentences; an item of a list is a sentence."""
    text = _PLACEHOLDER.sub("name", to_text(markdown))
    sentences = sum(1 for part in _SENTENCE_END.split(text) if word.search(part))
    return word.findall(text), sentences


def spanish_syllables_in(word: str) -> int:
    """The syllables of a Spanish word: its groups of vowels, with two strong or stressed ones apart.

    Three for a medical term.
    """
    if word.lower() in SPANISH_MEDICAL_TERMS:
        return 3
    plain = re.sub(r"qu(?=[eiéí])|gu(?=[eiéí])", "q", word.lower())
    return max(1, len(_SPANISH_NUCLEUS.findall(plain)))


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
