#!/usr/bin/env python3
"""What a night costs under --only-changed, as one table.

    python3 benches/changes/run.py                         # 10,000,000 rows of 12 columns, five runs
    python3 benches/changes/run.py --large 100000000       # and the memory that so many ids take

It makes two nightly exports of which one row in a hundred differs, loads the first one whole into a
server that only reads, and then checks the second one in turn without and with --only-changed; and
DuckDB finds the same rows with `EXCEPT`, for which the export of the night before has to be kept.
Everything is kept in the cache directory. Linux, Python 3.11 or later, Rust.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "compare"))

from harness import machine, measure, setup, table  # noqa: E402

BEGIN = "<!-- made by benches/changes/run.py --update-readme -->"
UNLIMITED = ["--users-per-minute", "unlimited", "--events-per-minute", "unlimited"]
QUIET = ["--progress", "off", "--output", "json"]
USERS_PER_MINUTE = 1_000


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of an export")
    parser.add_argument("--runs", type=int, default=5, help="runs that count, after a warm-up")
    parser.add_argument(
        "--large", type=int, metavar="ROWS", help="measure the memory of an export of so many, too"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "moebulk-compare",
        help="where data, peers and results are kept",
    )
    parser.add_argument(
        "--update-readme", action="store_true", help="put the table into the README"
    )
    given = parser.parse_args()
    given.cache = given.cache.resolve()
    return given


@contextlib.contextmanager
def sink(tools: setup.Tools):
    """A server that reads bodies and says that it took them; its address."""
    with subprocess.Popen([tools.compare, "sink", "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


class Nights:
    """Two exports, and what is remembered of the first."""

    def __init__(self, tools: setup.Tools, cache: Path, rows: int, which: str = ""):
        self.tools = tools
        made = "".join((HERE.parent / "compare" / "tools" / "nights.rs").read_text())
        self.dir = cache / f"nights{which}-{rows}-{setup._hash(made)}"
        if not (self.dir / "nights.json").exists():
            setup.say(f"making nights of {rows:,} rows")
            command = [tools.compare, "nights", self.dir, str(rows), *([which] if which else [])]
            subprocess.run(command, check=True)
        self.counts = json.loads((self.dir / "nights.json").read_text())
        self.rows = self.counts["rows"]
        self.mapping = ["--mapping", HERE / "users.toml"]

    def only_changed(self) -> list:
        return ["--only-changed", "--state", self.dir / "state"]

    def load(self, night: int, run_dir: str) -> measure.Run:
        """Imports a night; of the first one nothing is known before."""
        with sink(self.tools) as url:
            command = [self.tools.moebulk, "import", self.dir / f"night{night}.csv", *self.mapping]
            command += [*self.only_changed(), "--endpoint", url, "--app-id", "BENCH"]
            command += ["--run-dir", setup.fresh(self.dir / run_dir), *UNLIMITED, *QUIET]
            # The state is bound to where rows go, and the server has another port each time.
            env = {**os.environ, "MOENGAGE_DATA_API_KEY": "k", "XDG_STATE_HOME": str(self.dir / "x")}
            return measure.run(command, env=env)

    def check(self, *flags) -> measure.Run:
        """Checks the second night."""
        run_dir = setup.fresh(self.dir / "check")
        command = [self.tools.moebulk, "validate", self.dir / "night2.csv", *self.mapping, *flags]
        return measure.run([*command, "--run-dir", run_dir, *QUIET])

    def agree(self, run: measure.Run) -> None:
        """Whether a check found what was made."""
        changes = json.loads(run.stdout)["changes"]
        for name in ("new", "changed", "vanished"):
            if changes[name] != self.counts[name]:
                raise measure.Failed(f"{name}: {changes[name]}, not {self.counts[name]}")

    def duckdb(self) -> measure.Run:
        script = HERE / "duckdb_except.py"
        run = measure.run([self.tools.python, "-B", script, self.dir])
        if run.said()["rows"] != self.counts["new"] + self.counts["changed"]:
            raise measure.Failed(f"DuckDB finds {run.said()}")
        return run

    def state_bytes_per_id(self) -> float:
        files = [path.stat().st_size for path in (self.dir / "state").iterdir()]
        return sum(files) / self.counts["known"]


def hours(users: int) -> float:
    """What sending takes at the documented limit."""
    return users / USERS_PER_MINUTE / 60


def main() -> None:
    given = arguments()
    given.cache.mkdir(parents=True, exist_ok=True)
    tools = setup.tools(ROOT, given.cache, with_oha=False)
    nights = Nights(tools, given.cache, given.rows)
    named = machine.line(tools, ROOT)
    setup.say("loading the first night")
    setup.fresh(nights.dir / "state")
    full = nights.load(1, "full")
    nights.counts["known"] = given.rows
    runs = {"without": [], "with": [], "duckdb": []}
    for number in range(-1, given.runs):
        setup.say(f"round {number + 1} of {given.runs}" if number >= 0 else "a warm-up")
        plain, changed = nights.check(), nights.check(*nights.only_changed())
        nights.agree(changed)
        theirs = nights.duckdb()
        if number >= 0:
            runs["without"].append(plain)
            runs["with"].append(changed)
            runs["duckdb"].append(theirs)
    large = []
    if given.large:
        # One export is large enough, so it is held against itself.
        more = Nights(tools, given.cache, given.large, "second")
        more.counts.update(new=0, changed=0, vanished=0)
        setup.say(f"loading {given.large:,} rows")
        setup.fresh(more.dir / "state")
        large = [more.load(2, "full"), more.check(), more.check(*more.only_changed())]
        more.agree(large[2])
    text = render(named, nights, full, runs, given.large, large)
    (given.cache / "changes.md").write_text(text)
    print(text)
    if given.update_readme:
        table.into_readme(ROOT / "README.md", text, BEGIN)


def render(named, nights, full, runs, large_rows, large) -> str:
    """The tables, as Markdown."""

    def seconds(name):
        return median(run.seconds for run in runs[name])

    def peak(name):
        return max(run.rss_mib for run in runs[name])

    sent = nights.counts["new"] + nights.counts["changed"]
    by_rounds = median(
        one.seconds / other.seconds for one, other in zip(runs["with"], runs["without"], strict=True)
    )
    rows = [
        ("`validate`", seconds("without"), peak("without")),
        ("`validate --only-changed`", seconds("with"), peak("with")),
        ("DuckDB, `EXCEPT` of both exports", seconds("duckdb"), peak("duckdb")),
        ("the first night: `import --only-changed` of all rows", full.seconds, full.rss_mib),
    ]
    figures = [
        table.Figure(
            "rows compared and planned a second", nights.rows / seconds("with") / 1e6, 0.5, 0.5, True,
            "million",
        ),
        table.Figure(
            "`validate`, with `--only-changed` to without", seconds("with") / seconds("without"), 3, 3,
            False, by_rounds=by_rounds,
        ),
        table.Figure("peak memory", peak("with"), 256, 256, False, "MiB"),
        table.Figure("the state on disk, an id", nights.state_bytes_per_id(), 64, 64, False, "bytes"),
    ]
    if large:
        what = f"peak memory, {large_rows:,} ids"
        peak_mib = max(run.rss_mib for run in large)
        figures.insert(3, table.Figure(what, peak_mib, 256, 256, False, "MiB"))
    saved = hours(nights.rows) - hours(sent)
    lines = [
        f"{nights.rows:,} users of 12 columns, of whom {sent:,} are new or changed since the night "
        f"before; of each program the whole process, in turn, warm page cache, medians of "
        f"{len(runs['with'])}, peaks the largest of them.",
        "",
        f"On {named}.",
        "",
        "| program | seconds | peak MiB |",
        "|---|--:|--:|",
        *(f"| {what} | {time:.2f} | {mib:.0f} |" for what, time, mib in rows),
        "",
        "| figure | | by rounds | must | goal | reached |",
        "|---|--:|--:|--:|--:|---|",
        *(figure.row() for figure in figures),
    ]
    if large:
        lines += [
            "",
            f"With {large_rows:,} ids the first import takes {large[0].seconds:.0f} s, `validate` "
            f"{large[1].seconds:.1f} s, and {large[2].seconds:.1f} s with `--only-changed`.",
        ]
    lines += [
        "",
        f"At {USERS_PER_MINUTE:,} users a minute a night takes {hours(sent):.1f} hours instead of "
        f"{hours(nights.rows):.1f}: {saved:.1f} hours less.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    try:
        main()
    except (setup.Failed, measure.Failed) as failure:
        sys.exit(f"changes: {failure}")
    except KeyboardInterrupt:
        sys.exit(os.EX_TEMPFAIL)
