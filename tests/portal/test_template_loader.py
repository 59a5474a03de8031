"""Pages are sent without the indentation of their templates, and with everything else."""

from pathlib import Path

import pytest
from django.template import engines
from django.utils import translation

from portal.template_loader import outdented
from portal.templatetags.phrases import Phrase


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("<p>\n    One\n\n      two\n</p>\n", "<p>\nOne\ntwo\n</p>\n"),
        ('<a class="x"\n   href="/">\n', '<a class="x"\nhref="/">\n'),
        ("  <pre>\n  a\n    b\n</pre>\n  c", "  <pre>\n  a\n    b\n</pre>\nc"),
        ("<textarea>\n  a\n</textarea>", "<textarea>\n  a\n</textarea>"),
        (
            "{% blocktranslate %}a\n   b{% endblocktranslate %}\n  c",
            "{% blocktranslate %}a\n   b{% endblocktranslate %}\nc",
        ),
        (
            "{% blocktranslate trimmed %}\n   a\n   b\n{% endblocktranslate %}",
            "{% blocktranslate trimmed %}\na\nb\n{% endblocktranslate %}",
        ),
        ("a b  c\n", "a b  c\n"),
    ],
)
def test_only_indentation_goes(source, read):
    assert outdented(source) == read


def test_our_pages_are_read_so_and_text_mails_are_not():
    html = engines["django"].get_template("base.html").template.source
    text = engines["django"].get_template("reminders/email/reminder.txt").template

    assert "\n " not in html
    assert text.source == Path(text.origin.name).read_text()


class TestPhrases:
    def rendered(self, source, **context):
        return engines["django"].from_string("{% load i18n %}" + source).render(context)

    def test_each_language_has_its_own(self):
        template = engines["django"].from_string('{% load i18n %}{% translate "Today" %}')
        for language, word in (("en-gb", "Today"), ("es", "Hoy"), ("en-gb", "Today")):
            with translation.override(language):
                assert template.render({}) == word

    def test_a_name_and_a_context_are_kept_apart(self):
        source = '{% translate "the clinic" context "after the word Call" as x %}[{{ x }}]'
        template = engines["django"].from_string("{% load i18n %}" + source)
        for language, words in (("es", "[a la clínica]"), ("en-gb", "[the clinic]")):
            with translation.override(language):
                assert template.render({}) == words
                assert template.render({}) == words

    @pytest.mark.parametrize("source", ["{% translate word %}", '{% translate "a"|add:word %}'])
    def test_what_may_change_is_looked_up_each_time(self, source):
        template = engines["django"].from_string("{% load i18n %}" + source)

        assert not any(isinstance(node, Phrase) for node in template.template.nodelist)
        assert template.render({"word": "<b>"}) != template.render({"word": "c"})

    def test_signs_are_as_django_writes_them(self):
        assert self.rendered('{% translate "50 % <b>" %}') == "50 % <b>"
