"""Where services run: a folder for each platform, one contract (`base.py`) and one table (`table.py`)."""
