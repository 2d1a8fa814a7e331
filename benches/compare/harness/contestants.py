"""Who takes part, on which file, and which rows each of them finds."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import measure
from .setup import HERE, Data, Tools, fresh, say

# Every row can be sent, or some are rejected, as in any but a very small file.
SOUND = (0, 1)

MAPPED = ["--mapping", HERE / "users.toml"]


@dataclass
class Entrant:
    """One program on one file."""

    name: str
    command: list
    # Rows that a correct program reports.
    expected: int
    # Rows that a run found; None where the program does not tell.
    found: Callable[[measure.Run], int | None]
    out: str | None = None
    codes: tuple = (0,)
    # Removed before each run.
    leavings: list[Path] = field(default_factory=list)
    # A run of its own that tells the rows, where the program itself does not.
    counting: list | None = None

    def run(self) -> measure.Run:
        """Runs it; what it finds has to be right each time."""
        for path in self.leavings:
            fresh(path)
        # A system may let go of what it read for the one before.
        for word in self.command:
            measure.warm(word)
        run = measure.run(self.command, out=self.out, codes=self.codes)
        self._hold(self.found(run))
        return run

    def check(self) -> int | None:
        """Runs it without a figure; the rows that it found."""
        found = self.found(self.run())
        if found is None and self.counting:
            found = measure.run(self.counting).said()["kept"]
            self._hold(found)
        return found

    def _hold(self, found: int | None) -> None:
        if found not in (None, self.expected):
            text = f"{self.name}: {found:,} rows, where {self.expected:,} are right"
            raise measure.Failed(f"{text}; no time counts")


def entrants(tools: Tools, large: Data, small: Data, cache: Path) -> list[Entrant]:
    """All of them, in the order of a round: who is compared with whom stands close together."""
    run_dir = cache / "run"
    null = os.devnull

    def ours(name: str, expected: int, command: str, file: Path, *words, rows="accepted"):
        def found(_run: measure.Run) -> int:
            return json.loads((run_dir / "report.json").read_text())["rows"][rows]

        line = [tools.moebulk, command, file, "--run-dir", run_dir, "--progress", "off", *words]
        return Entrant(name, line, expected, found, codes=SOUND, leavings=[run_dir])

    def pack(name: str, expected: int, file: Path, threads: int = 2) -> Entrant:
        words = ["--out", null, *MAPPED, "--threads", threads]
        return ours(name, expected, "pack", file, *words)

    def duckdb(name: str, expected: int, file: Path) -> Entrant:
        command = tools.peer("duckdb_copy.py", file, null)
        return Entrant(name, command, expected, lambda run: run.said()["kept"])

    def polars(name: str, expected: int, file: Path) -> Entrant:
        command = tools.peer("polars_ndjson.py", file, null)
        counting = tools.peer("polars_ndjson.py", file, "count")
        return Entrant(name, command, expected, lambda _: None, counting=counting)

    def rows(run: measure.Run) -> int:
        return run.said()["rows"]

    def kept(run: measure.Run) -> int:
        return run.said()["kept"]

    csv, ten, one = large.csv, large.ten_groups, large.one_group
    return [
        Entrant("cat", ["cat", csv], large.rows, lambda _: None, out=null),
        pack("pack", large.kept_csv, csv),
        duckdb("DuckDB COPY", large.kept_csv, csv),
        polars("polars sink_ndjson", large.kept_csv, csv),
        pack("pack, 1 thread", large.kept_csv, csv, threads=1),
        Entrant("csv crate", [tools.compare, "csv-loop", csv], large.rows, rows),
        ours("validate", large.rows, "validate", csv, "--threads", 2, rows="read"),
        Entrant("DuckDB count", tools.peer("duckdb_count.py", csv), large.rows, rows),
        pack("pack, Parquet", large.kept_typed, ten),
        duckdb("DuckDB COPY, Parquet", large.kept_typed, ten),
        polars("polars sink_ndjson, Parquet", large.kept_typed, ten),
        pack("pack, Parquet, one group", large.kept_typed, one),
        pack("pack, small", small.kept_csv, small.csv),
        Entrant(
            "pandas + orjson",
            tools.peer("pandas_bodies.py", small.csv, null),
            small.kept_csv,
            kept,
        ),
        pack("pack, Parquet, small", small.kept_typed, small.ten_groups),
    ]


def agree(all_entrants: list[Entrant], tools: Tools) -> None:
    """The warm-up: all have to find the rows that the generator counted, and moebulk the same
    bodies for any number of threads."""
    digests = {}
    for entrant in all_entrants:
        say(f"checking {entrant.name}")
        found = entrant.check()
        if found is None and entrant.name != "cat":
            raise measure.Failed(f"{entrant.name} does not tell what it found; no time counts")
        if entrant.command[0] == tools.moebulk:
            report = json.loads((entrant.leavings[0] / "report.json").read_text())
            digests[entrant.name] = report["bodies"]["digest"]
    for first, second in [
        ("pack", "pack, 1 thread"),
        ("pack, Parquet", "pack, Parquet, one group"),
    ]:
        if digests[first] != digests[second]:
            raise measure.Failed(f"`{first}` and `{second}` do not give the same bodies")
