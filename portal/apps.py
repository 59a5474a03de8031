"""Registers the portal app with Django, and our own site as the admin."""

from django.apps import AppConfig

# The module and not the class: Django would take a second class here for the portal's own.
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _

from portal import form_words

# Here, and not when the app is ready: the admin, which comes first, brings forms.
form_words.use()


class PortalConfig(AppConfig):
    """The portal app."""

    name = "portal"
    verbose_name = _("Clinic")
    default = True

    def ready(self) -> None:
        """Listen to who signs in, let querysets ask for rows by many keys, and connections read moments quickly."""
        from portal import lookups, moments, sign_ins  # its models are not loaded before this

        sign_ins.listen()
        lookups.register()
        moments.listen()


class StaffAdminConfig(admin_apps.AdminConfig):
    """Django's admin, with our site in place of its own."""

    default = False
    default_site = "portal.staff_site.StaffSite"
