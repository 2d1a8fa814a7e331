"""moebulk's sender against oha, on one server, and against a wait that no client can avoid.

Rates are taken where both are the same: at the server, from the head of the first request to the
last answer; at the emulator, which tells nothing finer, from the first body that it had read to
the last. So the checks before an import's first request are left out, and packing is not.
"""

import http.client
import json
import os
import subprocess
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from . import measure
from .contestants import SOUND
from .setup import HERE, Data, Tools, fresh

CONNECTIONS = 16

# What the server does with a body: only read it, or parse it too.
WORK = ["read", "parse"]

# `moebulk sandbox` for a server: it parses each body, checks every element as the API does, and
# keeps what is sound.
SANDBOX = "sandbox"

# It takes a few hundred bodies a second, so the first of the rows are enough. oha posts their
# bodies, in any order: users that come again and again are other work for it than new ones.
SANDBOX_ROWS = 100_000

APP_ID, KEY = "COMPARE", "not-a-key"

LATENCY_MS = 50
CONNECTIONS_WAITING = 64


def exchange(tools: Tools, data: Data, cache: Path) -> dict:
    """One round: an import and oha in turn on a server that answers at once, on one that parses
    what it reads, and on the emulator; and then an import alone on one that waits. Rates are in
    bodies per second; `reached` is a share of the ideal."""
    figures = {}
    for work in WORK:
        with _sink(tools, 0, *([work] if work == "parse" else [])) as url:
            told, run = _import(tools, data, cache, url, CONNECTIONS, _tally)
            figures[f"import, {work}"] = told["rate"]
            figures["import_rss_mib"] = run.rss_mib
            if tools.oha:
                body = ["-D", _full_body(tools, data, cache)]
                figures[f"oha, {work}"] = _oha(tools, url, told["bodies"], body, _tally)
    # A fresh one for each, since it keeps what came.
    with _sandbox(tools) as url:
        told, _ = _import(tools, data, cache, url, CONNECTIONS, _stats, SANDBOX_ROWS)
        figures[f"import, {SANDBOX}"] = told["rate"]
    if tools.oha:
        with _sandbox(tools) as url:
            bodies = ["-Z", _bodies(tools, data, cache, SANDBOX_ROWS)]
            figures[f"oha, {SANDBOX}"] = _oha(tools, url, told["bodies"], bodies, _stats)
    with _sink(tools, LATENCY_MS) as url:
        told, _ = _import(tools, data, cache, url, CONNECTIONS_WAITING, _tally)
    ideal_seconds = told["bodies"] * LATENCY_MS / 1000 / CONNECTIONS_WAITING
    figures["reached"] = ideal_seconds / told["seconds"]
    figures["held_ms"] = told["held_seconds"] / told["bodies"] * 1000
    return figures


def _import(
    tools: Tools,
    data: Data,
    cache: Path,
    url: str,
    connections: int,
    tally: Callable[[str], dict],
    rows: int | None = None,
) -> tuple[dict, measure.Run]:
    run_dir = fresh(cache / "run")
    command = [
        tools.moebulk, "import", data.csv, "--run-dir", run_dir, "--progress", "off", "--yes",
        "--endpoint", url, "--app-id", APP_ID, "--connections", connections,
        "--users-per-minute", "unlimited", "--events-per-minute", "unlimited",
        "--mapping", HERE / "users.toml", *_limit(rows),
    ]  # fmt: skip
    state = fresh(cache / "state")
    env = os.environ | {"MOENGAGE_DATA_API_KEY": KEY, "XDG_STATE_HOME": str(state)}
    # Whether the import asks the server something first is its own matter.
    tally(url)
    run = measure.run(command, env=env, codes=SOUND)
    told = tally(url)
    report = json.loads((run_dir / "report.json").read_text())
    delivered, bodies = report["rows"]["delivered"], report["bodies"]["count"]
    kept = report["rows"]["accepted"] if rows else data.kept_csv
    if delivered != kept or told["bodies"] != bodies:
        text = f"{delivered:,} rows delivered of {kept:,}"
        raise measure.Failed(f"import: {text}; {told['bodies']:,} bodies came of {bodies:,}")
    return told, run


def _oha(
    tools: Tools, url: str, bodies: int, body: list, tally: Callable[[str], dict]
) -> float:
    tally(url)
    measure.run([
        tools.oha, "--no-tui", "-n", bodies, "-c", CONNECTIONS, "-m", "POST",
        "-a", f"{APP_ID}:{KEY}", "-H", f"MOE-APPKEY: {APP_ID}",
        "-T", "application/json", *body, f"{url}/v1/transition/{APP_ID}",
    ])  # fmt: skip
    told = tally(url)
    if told["bodies"] != bodies:
        raise measure.Failed(f"oha: {told['bodies']:,} bodies came of {bodies:,}")
    return told["rate"]


def _full_body(tools: Tools, data: Data, cache: Path) -> Path:
    """One body as the import sends them."""
    body = cache / "body.json"
    body.write_bytes(_bodies(tools, data, cache, 1000).read_bytes().splitlines()[0])
    return body


def _bodies(tools: Tools, data: Data, cache: Path, rows: int) -> Path:
    """The bodies of the first rows, one a line."""
    bodies = cache / "bodies.ndjson"
    command = [tools.moebulk, "pack", data.csv, "--out", bodies, *_limit(rows)]
    command += ["--run-dir", fresh(cache / "run"), "--progress", "off"]
    measure.run([*command, "--mapping", HERE / "users.toml"], codes=SOUND)
    return bodies


def _limit(rows: int | None) -> list:
    return ["--limit", rows] if rows else []


@contextmanager
def _sink(tools: Tools, latency_ms: int, *words: str):
    with _server([tools.compare, "sink", str(latency_ms), *words], os.environ) as url:
        yield url


@contextmanager
def _sandbox(tools: Tools):
    unlimited = ["--users-per-minute", "unlimited", "--events-per-minute", "unlimited"]
    command = [tools.moebulk, "sandbox", "--app-id", APP_ID, "--listen", "127.0.0.1:0", *unlimited]
    with _server(command, os.environ | {"MOENGAGE_DATA_API_KEY": KEY}) as url:
        yield url


@contextmanager
def _server(command: list, env: dict):
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env=env, **quiet) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def _tally(url: str) -> dict:
    """What came to a sink since the last call."""
    told = _get(url, "/")
    told["rate"] = told["bodies"] / told["seconds"] if told["seconds"] else 0.0
    return told


def _stats(url: str) -> dict:
    """What came to an emulator since its start."""
    stats = _get(url, "/_sandbox/stats")
    if stats["statuses"].keys() - {"200"}:
        raise measure.Failed(f"the emulator refused bodies: {stats['statuses']}")
    bodies = stats["requests"].get("bulk", 0)
    if not bodies:
        return {"bodies": 0}
    first, last = (datetime.fromisoformat(stats[f"accepted_{end}"]) for end in ("first", "last"))
    return {"bodies": bodies, "rate": bodies / (last - first).total_seconds()}


def _get(url: str, path: str) -> dict:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("GET", path)
    told = json.loads(connection.getresponse().read())
    connection.close()
    return told
