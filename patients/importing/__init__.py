"""Bringing lists of patients and operations in: reading a file, guessing its columns, reading its values, comparing.

Nothing here writes; `patients.actions.imports` does.
"""
