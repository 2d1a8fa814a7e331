"""Builds, installs and makes what the comparison needs, where it is not there yet."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]

OHA_VERSION = "1.16.0"


class Failed(Exception):
    """A step that did not work."""


@dataclass
class Tools:
    """The programs."""

    moebulk: Path
    # data, csv-loop and sink; see tools/main.rs.
    compare: Path
    # Python with the peers.
    python: Path
    # None where it does not build, or is not wanted.
    oha: Path | None

    def peer(self, script: str, *words) -> list:
        """The command of a script in peers/."""
        return [self.python, "-B", HERE / "peers" / script, *words]


@dataclass
class Data:
    """The same rows in three files, and what is wrong with them."""

    csv: Path
    ten_groups: Path
    one_group: Path
    rows: int
    bad_ids: int
    bad_types: int

    @property
    def kept_csv(self) -> int:
        """Rows that can be sent, where types are checked."""
        return self.rows - self.bad_ids - self.bad_types

    @property
    def kept_typed(self) -> int:
        """Rows that can be sent from a typed file, where a value of the wrong type is null."""
        return self.rows - self.bad_ids


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def tools(root: Path, cache: Path, with_oha: bool) -> Tools:
    """Builds and installs."""
    # One after the other: together, the features of the dev-dependencies would be in moebulk too.
    _do("building moebulk", ["cargo", "build", "--release", "--locked", "--bin", "moebulk"], root)
    _do("building tools", ["cargo", "build", "--release", "--locked", "--example", "compare"], root)
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    release = (root / target / "release").resolve()
    return Tools(
        moebulk=release / "moebulk",
        compare=release / "examples" / "compare",
        python=_peers(cache),
        oha=_oha(cache) if with_oha else None,
    )


def data(with_tools: Tools, cache: Path, rows: int, seed: int) -> Data:
    """Makes the files, unless an earlier run of the same generator did."""
    sources = [HERE / "tools" / name for name in ("rows.rs", "columns.rs", "data.rs")]
    generator = _hash("".join(path.read_text() for path in sources))
    directory = cache / f"data-{rows}-{seed}-{generator}"
    counts = directory / "counts.json"
    if not counts.exists():
        command = [with_tools.compare, "data", directory, str(rows), str(seed)]
        _do(f"making {rows:,} rows", command, cache)
    return Data(
        csv=directory / "users.csv",
        ten_groups=directory / "ten.parquet",
        one_group=directory / "one.parquet",
        **json.loads(counts.read_text()),
    )


def fresh(directory: Path) -> Path:
    """A directory that is not there: what a run left before would be found by the next."""
    shutil.rmtree(directory, ignore_errors=True)
    return directory


def _peers(cache: Path) -> Path:
    wanted = (HERE / "peers" / "requirements.txt").read_text()
    environment = cache / f"venv-{_hash(wanted)}"
    python = environment / "bin" / "python"
    done = environment / "complete"
    if not done.exists():
        fresh(environment)
        _do("making an environment", [sys.executable, "-m", "venv", environment], cache)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]
        _do("installing the peers", [*install, HERE / "peers" / "requirements.txt"], cache)
        done.touch()
    return python


def _oha(cache: Path) -> Path | None:
    place = cache / f"oha-{OHA_VERSION}"
    oha = place / "bin" / "oha"
    if not oha.exists():
        install = ["cargo", "install", "oha", "--version", OHA_VERSION, "--locked", "--root", place]
        try:
            _do("building oha, which takes some minutes", install, cache)
        except Failed as failure:
            say(f"compared without oha: {failure}")
            return None
    return oha


def _do(what: str, command: list, directory: Path) -> None:
    say(what)
    try:
        subprocess.run(command, cwd=directory, check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failed(f"{what}: {error}") from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
