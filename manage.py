#!/usr/bin/env python3
"""The command line of Stepwise: `python manage.py <command>`.

What is wrong with the set-up is said here in one sentence, never as a traceback.
"""

import os
import sys

OLDEST_PYTHON = (3, 11)


def main():
    """Run one management command; exits with 1 when the set-up is wrong."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit("Stepwise needs Python 3.11 or newer; this one is " + sys.version.split()[0] + ".")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured  # after the version is known
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError as error:
        sys.exit(f"The Python module {error.name} is missing: run `make install`, then try again.")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Stepwise cannot start: {error}")
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in {
            "portal",
            "procedures",
            "patients",
            "reminders",
        }:
            raise
        sys.exit(f"The Python module {error.name} is missing: run `make install`, then try again.")


if __name__ == "__main__":
    main()
