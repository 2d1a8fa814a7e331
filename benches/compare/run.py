#!/usr/bin/env python3
"""moebulk against what people would use instead, on files made here, as one table.

    python3 benches/compare/run.py                               # 5,000,000 rows, five runs each
    python3 benches/compare/run.py --rows 200000 --runs 1 --skip-sender     # a quick look

It builds moebulk and the tools beside this file, makes the data from a seed, installs the peers
into an environment of their own (all of it in the cache directory, and kept there), and then runs
every contestant in turn: a warm-up that only checks that all find the same rows, then the runs
that count. Linux, Python 3.11 or later, Rust; the package indexes on the first run.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

from harness import contestants, machine, measure, sender, setup, table  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the large files")
    parser.add_argument(
        "--small-rows", type=int, metavar="ROWS", help="rows of the small files [a fifth]"
    )
    parser.add_argument("--runs", type=int, default=5, help="runs that count, after a warm-up")
    parser.add_argument("--seed", type=int, default=1, help="seed of the data")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "moebulk-compare",
        help="where data, peers and results are kept",
    )
    parser.add_argument("--skip-sender", action="store_true", help="measure no HTTP")
    parser.add_argument(
        "--update-readme", action="store_true", help="put the table into the README"
    )
    given = parser.parse_args()
    given.small_rows = given.small_rows or max(given.rows // 5, 1)
    given.cache = given.cache.resolve()
    return given


def main() -> None:
    given = arguments()
    given.cache.mkdir(parents=True, exist_ok=True)
    tools = setup.tools(ROOT, given.cache, with_oha=not given.skip_sender)
    large = setup.data(tools, given.cache, given.rows, given.seed)
    small = setup.data(tools, given.cache, given.small_rows, given.seed)
    named = machine.line(tools, ROOT)
    # Before anything is timed: a harness that adds its own memory would hide what it measures.
    measure.check_itself(large.csv)

    entrants = contestants.entrants(tools, large, small, given.cache)
    contestants.agree(entrants, tools)
    if not given.skip_sender:
        setup.say("checking the sender")
        sender.exchange(tools, small, given.cache)
    rounds = []
    exchanges = []
    for number in range(given.runs):
        setup.say(f"round {number + 1} of {given.runs}")
        rounds.append({entrant.name: entrant.run() for entrant in entrants})
        if not given.skip_sender:
            exchanges.append(sender.exchange(tools, small, given.cache))
    starts = [measure.start_seconds([tools.moebulk, "--help"]) for _ in range(20 * given.runs)]

    text = table.render(
        title=named,
        data=(large, small),
        rounds=rounds,
        exchanges=exchanges,
        starts=starts,
    )
    raw = {
        "machine": named,
        "rounds": [{name: run.figures() for name, run in each.items()} for each in rounds],
        "exchanges": exchanges,
        "starts": starts,
    }
    (given.cache / "results.json").write_text(json.dumps(raw, indent=1) + "\n")
    (given.cache / "results.md").write_text(text)
    print(text)
    if given.update_readme:
        table.into_readme(ROOT / "README.md", text)


if __name__ == "__main__":
    try:
        main()
    except (setup.Failed, measure.Failed) as failure:
        sys.exit(f"compare: {failure}")
    except KeyboardInterrupt:
        sys.exit(os.EX_TEMPFAIL)
