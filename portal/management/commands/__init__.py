"""Commands that run and look after the whole project."""
