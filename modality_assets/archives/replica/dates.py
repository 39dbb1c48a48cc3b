"""The ways in which clients of NBIA write a day."""

from datetime import date, datetime

_FORMS = ("%m-%d-%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y-%m-%d", "%Y%m%d")


class DateError(ValueError):
    """A date that none of the forms reads."""


def read_day(text: str) -> date:
    """Return the day in ``text``: month first with a four-digit year last, or year first; raise `DateError`."""
    for form in _FORMS:
        try:
            return datetime.strptime(text.strip(), form).date()
        except ValueError:
            continue
    raise DateError(f"date {text!r}: write MM-DD-YYYY or YYYY/MM/DD")
