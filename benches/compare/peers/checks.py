"""What every peer checks: the ids that the API drops, and the type of each typed column.

The types are those of users.toml; the ids are the API's list. A date is checked by its form and
against the calendar, a number by the grammar of JSON: what an import has to know before it sends.
"""

import json
import sys

# An id has more than one character, and is none of these, compared as they stand.
DISALLOWED_IDS = [
    "unknown", "guest", "null", "0", "1", "true", "false", "user_attribute_unique_id", "(empty)",
    "na", "n/a", "", "dummy_seller_code", "user_id", "id", "customer_id", "uid", "userid", "none",
    "-2", "-1", "2",
]  # fmt: skip

DATES = ["renews_at", "last_seen"]
BOOLS = ["vip", "opt_in"]
NUMBERS = ["lifetime_value", "orders", "score", "device_hash"]

# Anchored by the callers, since not all engines match a whole value by default.
DATE = (
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"
)
NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"


def header(path: str) -> list[str]:
    """The column names of a CSV file."""
    with open(path, encoding="utf-8") as file:
        return file.readline().rstrip("\n").split(",")


def say(**counts: int) -> None:
    """Tells the harness what was found, as one JSON line."""
    json.dump(counts, sys.stdout)
    print()
