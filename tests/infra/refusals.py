"""What the tests of refused configurations share."""

import json

MISSING = object()


def changed(values, paths):
    """`values` with others at some places, {"aws__network__nat": "none"}; MISSING takes a key away."""
    for path, value in paths.items():
        *folders, key = path.split("__")
        place = values
        for folder in folders:
            place = place.setdefault(folder, {})
        if value is MISSING:
            del place[key]
        else:
            place[key] = value
    return values


def handed_over(values):
    """The configuration as the engine hands it to the program: texts."""
    return {f"slipway:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
