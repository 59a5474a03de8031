"""Every text has its translation, and no translation loses a value, a form or a mark.

What fails here is mended by `make messages` and by writing what is missing (docs/decisions/0120).
"""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from babel.messages import Catalog
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext, ngettext

from portal import checks, preflight, translations
from portal.management.commands import run

ROOT = Path(settings.BASE_DIR)
LOCALE = ROOT / "locale"
# Every text, or every one that a patient, parent or carer can meet.
FULL, OF_PATIENTS, SPARSE = {"es"}, {"ar"}, translations.SPARSE
FORMS = {"es": 2, "ar": 6, "en_US": 2}
# Where texts stand that staff alone meet; a text that stands elsewhere too is a patient's as well.
STAFF_ONLY = re.compile(
    r"""templates/(admin|unfold)/
    |\w+/management/
    |\w+/(\w+_)?admin\.py
    |\w+/(staff|import|trail|account|guide|emergency|work|bulk)_\w+\.py
    |reminders/(staff_views/|previews\.py|simulator\.py|whatif\.py|dashboard\.py)
    |procedures/(approval|forms|consent_actions|consent_pages)\.py
    |\w+/(causes|readiness)\.py
    |patients/actions/(tasks|holds|staff_notes|imaging|answers|merging)\.py
    |patients/(importing/|forms\.py|exercise_forms\.py|actions/imports\.py)
    |patients/models/(imports|notes|oversight|tasks)\.py
    |portal/navigation\.py
    """,
    re.VERBOSE,
)
# What a translation has to keep: values, tags, addresses, and the braces of placeholders.
KEPT = re.compile(r"%\(\w+\)[sd]|%%|\{[\w%():]+\}|</?\w+[^>]*>|https?://\S+")
# A count may be left out of the forms that say it in a word: “one day”, “two days”.
COUNTS = re.compile(r"%\((n|minutes|left|days|sets|times|unused|number|count|done)\)[sd]")


@cache
def found() -> Catalog:
    return translations.texts(ROOT)


def catalogue(language) -> Catalog:
    return translations.read(LOCALE / language / "LC_MESSAGES" / "django.po")


def is_of_patients(message) -> bool:
    return any(not STAFF_ONLY.match(name) for name, _line in message.locations)


def missing(catalog, wanted):
    """The texts of the code that the catalogue lacks, or has no words for."""
    known = {translations.key(row) for row in catalog if row.id and translations.is_translated(row)}
    return sorted(
        key[1] for row in wanted if row.id and (key := translations.key(row)) not in known
    )


def kept(text):
    return Counter(KEPT.findall(text))


def without_counts(text):
    return kept(COUNTS.sub("", text))


def faults(message, forms):
    """What is wrong with one translation, in words; nothing where all is well."""
    if message.fuzzy:
        yield "fuzzy"
    if isinstance(message.id, str):
        yield from _faults_of_one(message.id, message.string)
        return
    if len(message.string) != forms:
        yield f"{len(message.string)} forms and not {forms}"
    for words in message.string:
        if without_counts(words) != without_counts(message.id[1]):
            yield f"values: {words}"
        if not kept(words) <= kept(message.id[1]):
            yield f"other values: {words}"


def _faults_of_one(text, words):
    if kept(text) != kept(words):
        yield f"values: {words}"
    if (text[:1].isspace(), text[-1:].isspace()) != (words[:1].isspace(), words[-1:].isspace()):
        yield f"spaces at the ends: {words!r}"


def all_faults(catalog, forms):
    return [
        (translations.key(row)[1], fault)
        for row in catalog
        if row.id and translations.is_translated(row)
        for fault in faults(row, forms)
    ]


class TestTheFiles:
    @pytest.mark.parametrize("language", sorted(FULL))
    def test_every_text_is_translated(self, language):
        assert missing(catalogue(language), found()) == []

    @pytest.mark.parametrize("language", sorted(OF_PATIENTS))
    def test_every_text_that_a_patient_meets_is_translated(self, language):
        wanted = [row for row in found() if row.id and is_of_patients(row)]

        assert len(wanted) > 900
        assert missing(catalogue(language), wanted) == []

    @pytest.mark.parametrize("language", sorted(FULL | OF_PATIENTS | SPARSE))
    def test_nothing_stands_there_that_the_code_does_not_say_any_more(self, language):
        said = {translations.key(row) for row in found() if row.id}
        kept_for_nothing = {translations.key(row) for row in catalogue(language) if row.id} - said

        assert kept_for_nothing == set()

    @pytest.mark.parametrize("language", sorted(FULL | OF_PATIENTS | SPARSE))
    def test_values_forms_and_marks_are_kept(self, language):
        assert all_faults(catalogue(language), FORMS[language]) == []

    def test_each_language_that_people_can_choose_has_its_file(self):
        written = {file.parent.parent.name for file in translations.files(LOCALE)}

        assert written == FULL | OF_PATIENTS | SPARSE
        assert {translation.to_locale(code) for code in dict(settings.LANGUAGES)} - written == {
            settings.LANGUAGE_CODE.replace("gb", "GB").replace("-", "_")
        }

    def test_american_readers_see_a_physical_therapist(self):
        left = [
            row.id
            for row in found()
            if row.id and re.search(r"physiotherap|programme|cancelled", str(row.id), re.IGNORECASE)
        ]

        assert left
        american = {translations.key(row)[1] for row in catalogue("en_US") if row.id}
        assert {translations.key(row)[1] for row in found() if row.id in left} - american == set()


class TestPlantedFaults:
    @pytest.mark.parametrize(
        ("text", "words", "fault"),
        [
            ("Hello %(name)s", "Hola", "values: Hola"),
            ("Hello %(name)s", "Hola %(nombre)s", "values: Hola %(nombre)s"),
            ("Call {phone}", "Llame", "values: Llame"),
            ("Error: ", "Error:", "spaces at the ends: 'Error:'"),
            ("<b>Now</b>", "<b>Ahora", "values: <b>Ahora"),
        ],
    )
    def test_a_text_without_its_values_is_found(self, text, words, fault):
        planted = Catalog(locale="es")
        planted.add(text, words)

        assert all_faults(planted, 2) == [(text, fault)]

    def test_a_form_that_is_missing_is_found(self):
        planted = Catalog(locale="ar")
        planted.add(("%(n)d day", "%(n)d days"), ("يوم", "أيام"))

        assert all_faults(planted, 6) == [("%(n)d day", "2 forms and not 6")]

    def test_a_form_with_a_value_of_its_own_is_found(self):
        planted = Catalog(locale="es")
        planted.add(("%(n)d day", "%(n)d days"), ("un día", "%(m)d días"))

        assert {fault for _text, fault in all_faults(planted, 2)} >= {"other values: %(m)d días"}

    def test_a_fuzzy_one_is_found(self):
        planted = Catalog(locale="es")
        planted.add("Yes", "Sí", flags={"fuzzy"})

        assert all_faults(planted, 2) == [("Yes", "fuzzy")]

    def test_one_without_words_is_missing(self):
        planted = Catalog(locale="es")
        planted.add("Yes", "")

        assert missing(planted, planted) == ["Yes"]

    def test_a_text_of_a_page_for_patients_is_told_from_one_for_staff(self):
        planted = Catalog()
        planted.add("a", locations=[("templates/admin/index.html", 0)])
        planted.add("b", locations=[("templates/admin/index.html", 0), ("templates/base.html", 0)])
        planted.add("c", locations=[("patients/record_admin.py", 0)])
        planted.add("d", locations=[("patients/reader_forms.py", 0)])

        assert [row.id for row in planted if row.id and is_of_patients(row)] == ["b", "d"]


@pytest.fixture
def project(tmp_path):
    """A small project: one app with a text, one template, and a Spanish file."""
    (tmp_path / "portal").mkdir()
    (tmp_path / "templates").mkdir()
    file = tmp_path / "locale" / "es" / "LC_MESSAGES" / "django.po"
    file.parent.mkdir(parents=True)
    head = (LOCALE / "es" / "LC_MESSAGES" / "django.po").read_text().partition("#: ")[0]
    file.write_text(head)
    return tmp_path


class TestMakingThem:
    def texts(self, project, python="", template=""):
        (project / "portal" / "pages.py").write_text(python)
        (project / "templates" / "page.html").write_text(template)
        return translations.texts(project)

    def test_finds_what_python_and_templates_mark(self, project):
        found = self.texts(
            project,
            'a = _("One")\nb = ngettext_lazy("%(n)d day", "%(n)d days", n)\n'
            'c = pgettext_lazy("side", "left")\nd = _("in " "pieces")\n',
            '{% load i18n %}\n    <p>\n  {% translate "Two" %}\n{{ x|default:_("Three") }}</p>\n'
            "{% blocktranslate trimmed with n=a count d=b %}\n  {{ d }} of {{ n }}\n{% plural %}\n"
            "  {{ d }} all {{ n }}\n{% endblocktranslate %}",
        )

        assert {translations.key(row) for row in found if row.id} == {
            (None, "One", ""), (None, "%(n)d day", "%(n)d days"), ("side", "left", ""),
            (None, "in pieces", ""), (None, "Two", ""), (None, "Three", ""),
            (None, "%(d)s of %(n)s", "%(d)s all %(n)s"),
        }  # fmt: skip

    def test_keeps_translations_drops_what_is_gone_and_guesses_nothing(self, project):
        file = translations.files(project / "locale")[0]
        translations.bring_up_to_date(file, self.texts(project, '_("Your plan")\n_("Gone")'))
        file.write_text(
            file.read_text()
            .replace('"Your plan"\nmsgstr ""', '"Your plan"\nmsgstr "Su plan"')
            .replace('"Gone"\nmsgstr ""', '"Gone"\nmsgstr "Ya no"')
        )

        lacking = translations.bring_up_to_date(
            file, self.texts(project, '_("Your plan")\n_("Your plans")')
        )

        assert lacking == [(None, "Your plans", "")]
        assert {row.id: row.string for row in translations.read(file) if row.id} == {
            "Your plan": "Su plan", "Your plans": "",
        }  # fmt: skip
        assert "Gone" not in file.read_text()

    def test_a_second_time_changes_nothing(self, project):
        file = translations.files(project / "locale")[0]
        found = self.texts(project, '_("B")\n_("A")', '{% load i18n %}{% translate "A" %}')
        translations.bring_up_to_date(file, found)
        first = file.read_bytes()
        translations.bring_up_to_date(file, found)

        assert file.read_bytes() == first

    def test_a_sparse_language_keeps_what_differs_alone(self, project):
        (project / "locale" / "es").rename(project / "locale" / "en_US")
        file = translations.files(project / "locale")[0]

        assert translations.bring_up_to_date(file, self.texts(project, '_("A")')) == []
        assert [row.id for row in translations.read(file) if row.id] == []

    def test_what_is_compiled_is_up_to_date_until_the_file_changes(self, project, settings):
        settings.LOCALE_PATHS = [project / "locale"]
        assert [warning.id for warning in checks.check_translations(None)] == ["portal.W004"]

        assert len(translations.compile_stale(project / "locale")) == 1
        assert checks.check_translations(None) == []
        assert translations.compile_stale(project / "locale") == []

    def test_a_folder_that_cannot_be_written_is_one_sentence(self, project, settings, monkeypatch):
        settings.LOCALE_PATHS = [project / "locale"]

        def refuse(*args, **kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(translations.tempfile, "NamedTemporaryFile", refuse)

        with pytest.raises(preflight.NotReadyError, match="cannot be compiled"):
            run.compile_translations()


class TestInUse:
    def test_django_reads_what_was_compiled(self):
        with translation.override("es"):
            assert gettext("Your plan is finished") == "Su plan ha terminado"
        with translation.override("en-us"):
            assert gettext("Physiotherapy") == "Physical therapy"
            assert gettext("Your plan is finished") == "Your plan is finished"

    @pytest.mark.parametrize(
        ("number", "words"),
        [
            (1, "يوم حتى العملية"),
            (2, "يومان حتى العملية"),
            (5, "أيام حتى العملية"),
            (11, "يومًا حتى العملية"),
            (100, "يوم حتى العملية"),
        ],
    )
    def test_arabic_counts_in_six_forms(self, number, words):
        with translation.override("ar"):
            assert ngettext("day until surgery", "days until surgery", number) == words

    def test_what_has_no_arabic_is_read_in_english(self):
        with translation.override("ar"):
            assert gettext("No text of ours") == "No text of ours"
