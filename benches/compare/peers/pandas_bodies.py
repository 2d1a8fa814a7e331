"""The script that people write: pandas in chunks, orjson, bodies of at most 100,000 bytes.

usage: pandas_bodies.py IN.csv OUT
"""

import sys

import orjson
import pandas as pd
from checks import BOOLS, DATE, DATES, DISALLOWED_IDS, NUMBER, NUMBERS, say

BODY_BYTES_MAX = 100_000
CHUNK_ROWS = 50_000
HEAD, TAIL = b'{"type":"transition","elements":[', b"]}"


class Bodies:
    """Packs elements into request bodies, a body a line."""

    def __init__(self, file):
        self.file, self.elements, self.bytes = file, [], len(HEAD) + len(TAIL)

    def add(self, element: bytes) -> None:
        if self.elements and self.bytes + 1 + len(element) > BODY_BYTES_MAX:
            self.end()
        self.bytes += len(element) + bool(self.elements)
        self.elements.append(element)

    def end(self) -> None:
        if self.elements:
            self.file.write(HEAD + b",".join(self.elements) + TAIL + b"\n")
            self.elements, self.bytes = [], len(HEAD) + len(TAIL)


def sound(chunk: pd.DataFrame) -> pd.Series:
    """Which rows can be sent."""
    customer_id = chunk["customer_id"]
    is_sound = (customer_id.str.len() > 1) & ~customer_id.isin(DISALLOWED_IDS)
    for name in DATES:
        text = chunk[name]
        day = pd.to_datetime(text.str[:10], format="%Y-%m-%d", errors="coerce")
        is_sound &= (text == "") | (text.str.fullmatch(DATE) & day.notna())
    for name in BOOLS:
        is_sound &= (chunk[name] == "") | chunk[name].str.lower().isin(["true", "false"])
    for name in NUMBERS:
        is_sound &= (chunk[name] == "") | chunk[name].str.fullmatch(NUMBER)
    return is_sound


def number(text: str) -> int | float:
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def element(row: dict[str, str]) -> bytes:
    """A row as the API takes it; what is empty is left out."""
    customer_id = row.pop("customer_id")
    attributes = {name: text for name, text in row.items() if text != ""}
    for name in BOOLS:
        if name in attributes:
            attributes[name] = attributes[name].lower() == "true"
    for name in NUMBERS:
        if name in attributes:
            attributes[name] = number(attributes[name])
    user = {"type": "customer", "customer_id": customer_id, "attributes": attributes}
    return orjson.dumps(user)


def main() -> None:
    kept = 0
    with open(sys.argv[2], "wb") as file:
        bodies = Bodies(file)
        chunks = pd.read_csv(sys.argv[1], dtype=str, keep_default_na=False, chunksize=CHUNK_ROWS)
        for chunk in chunks:
            chunk = chunk[sound(chunk)]
            kept += len(chunk)
            for row in chunk.to_dict("records"):
                bodies.add(element(row))
        bodies.end()
    say(kept=kept)


main()
