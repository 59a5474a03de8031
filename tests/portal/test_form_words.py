"""What forms say to somebody who left something out: kind words, in every language, in forms of others too."""

import pytest
from allauth.account.forms import ChangePasswordForm, LoginForm
from django import forms
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.utils import translation

from patients.views.contacts import EmailForm
from portal.account_forms import (
    AddPasskeyForm,
    FirstPasswordForm,
    MailedPasswordForm,
    NewPasswordForm,
    RenamePasskeyForm,
)
from portal.form_words import WORDS
from portal.models import User


def errors(field: forms.Field, value: object) -> list[str]:
    with pytest.raises(forms.ValidationError) as caught:
        field.clean(value)
    return caught.value.messages


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (forms.CharField(), "", "Please fill this in."),
        (forms.DateField(), "", "Please fill this in."),
        (forms.ChoiceField(choices=[("a", "A")]), "", "Please choose one."),
        (forms.ChoiceField(choices=[("a", "A")]), "b", "Please choose one of those that are shown."),
        (forms.MultipleChoiceField(choices=[("a", "A")]), [], "Please choose at least one."),
        (forms.BooleanField(), False, "Please tick this to go on."),
        (forms.EmailField(), "sam at home", "Please type an email address, such as name@example.org."),
        (forms.IntegerField(min_value=1), "0", "Please type 1 or more."),
        (forms.IntegerField(), "many", "Please type a whole number, such as 3."),
        (forms.DecimalField(max_value=9), "9.5", "Please type 9 or less."),
        (forms.CharField(max_length=3), "four", "Please make this shorter: 4 letters, and no more than 3 fit."),
    ],
)  # fmt: skip
def test_an_error_says_what_to_do(field, value, words):
    assert errors(field, value) == [words]


@pytest.mark.parametrize(
    "form", [LoginForm, ChangePasswordForm, EmailForm, AdminPasswordChangeForm]
)
def test_forms_say_it_whoever_wrote_them(form):
    for field in form.base_fields.values():
        assert not field.required or str(field.error_messages["required"]).startswith("Please ")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en-gb", ["Current password", "New password", "New password, once more", "Name"]),
        ("es", ["Contraseña actual", "Contraseña nueva", "Contraseña nueva, otra vez", "Nombre"]),
        (
            "ar",
            ["كلمة المرور الحالية", "كلمة المرور الجديدة", "كلمة المرور الجديدة مرة أخرى", "الاسم"],
        ),
    ],
)
def test_the_fields_of_passwords_and_passkeys_are_named_in_the_readers_language(language, words):
    password, first = NewPasswordForm(user=User()), FirstPasswordForm(user=User())
    mailed = MailedPasswordForm(user=User())
    with translation.override(language):
        assert [str(field.label) for field in password.fields.values()] == words[:3]
        for form in (first, mailed):
            assert [str(field.label) for field in form.fields.values()] == words[1:3]
        for form in (AddPasskeyForm, RenamePasskeyForm):
            assert str(form.base_fields["name"].label) == words[3]


@pytest.mark.parametrize("language", ["es", "ar"])
def test_the_words_are_translated(language):
    words = [words for by_code in WORDS.values() for words in by_code.values()]
    english = [str(one) for one in words]
    with translation.override(language):
        assert not {str(one) for one in words} & set(english)
