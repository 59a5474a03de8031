"""How Django writes days and times by itself, in lists and on pages of single rows, where that is not its own way."""
