"""The hash of a source file names what it does."""

import pytest

from slipway.source import source_hash

CODE = '''"""What the module is for."""

import os  # the system


def size(path, unit=1024, *, exact: bool = False) -> float:
    """In `unit` bytes."""
    # Links count as what they lead to.
    found = os.stat(path).st_size
    return found / unit if not exact else float(f"{found / unit:.{3}f}")


class Empty:
    """Nothing."""
'''
OTHERWISE = (
    """import os


def size(path,
         unit=1024,
         *, exact: bool=False) -> float:
    found = (os.stat(path)
             .st_size)
    return found / unit if not exact else float(f\'{found / unit:.{3}f}\')
class Empty: """
    + "'said'"
)
CHANGES = [
    ("unit=1024", "unit=1000"),
    ("exact: bool = False", "exact: bool = True"),
    ("st_size", "st_blocks"),
    ("import os", "import io as os"),
    (".{3}f", ".{4}f"),
    ("not exact", "exact"),
    ("class Empty", "class Full"),
    ("return found", "yield found"),
]


def hashed(tmp_path, code, name="code.py"):
    file = tmp_path / name
    file.write_text(code)
    return source_hash(file)


def test_comments_docstrings_quotes_and_layout_are_not_what_code_does(tmp_path):
    assert hashed(tmp_path, CODE) == hashed(tmp_path, OTHERWISE)


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_whatever_code_does_otherwise_is_another_hash(tmp_path, old, new):
    assert old in CODE
    assert hashed(tmp_path, CODE) != hashed(tmp_path, CODE.replace(old, new))


def test_a_string_that_is_no_docstring_counts(tmp_path):
    assert hashed(tmp_path, "A = 1\n'''one'''\n") != hashed(tmp_path, "A = 1\n'''two'''\n")


def test_a_file_of_another_kind_counts_to_the_byte(tmp_path):
    assert hashed(tmp_path, "a: 1\n", "a.yaml") != hashed(tmp_path, "a: 1  # one\n", "a.yaml")


def test_the_hash_of_this_code_is_the_same_on_every_machine_and_version_of_python(tmp_path):
    assert hashed(tmp_path, CODE) == "50d3e9dbee6b3882b8fbbb0b5cc29792eb1a6afc26f0ce089b1d442e519e2b76"
