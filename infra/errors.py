"""Errors of what the program's platforms look up outside of an update."""


class Unanswered(Exception):
    """What lies outside could not be asked; the message says what and why."""
