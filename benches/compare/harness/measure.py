"""Runs a program and tells its time, processor time and peak of memory."""

import ctypes
import json
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36

# `cat` needs about two; Python itself has more than ten.
CAT_RSS_MIB_MAX = 6

# What a process weighed before it became another program counts as that program's peak. So a
# shell, the smallest process at hand, forks what becomes the program, and ends, which makes the
# orphan our child. Only then is it told to go on: an earlier end would be for the shell to see.
LAUNCH = """
out=$1 err=$2; shift 2; exec 3<&0
{ read -r go <&3 && exec "$@" >"$out" 2>"$err" </dev/null 3<&-; } &
echo $!
"""


class Failed(Exception):
    """A program that did not do what it is measured for."""


@dataclass
class Run:
    """One run of a whole process."""

    seconds: float
    cpu_seconds: float
    rss_mib: float
    code: int
    stdout: str
    stderr: str

    def figures(self) -> dict:
        """What is kept of it."""
        return {key: value for key, value in asdict(self).items() if "std" not in key}

    def said(self) -> dict:
        """The JSON object on its last line of stdout."""
        lines = self.stdout.splitlines()
        try:
            return json.loads(lines[-1])
        except (IndexError, ValueError) as error:
            raise Failed(f"no counts on stdout: {self.stdout[-300:]!r}") from error


def run(command: list, out: str | None = None, env: dict | None = None, codes=(0,)) -> Run:
    """Runs a program to its end; `out` is where its stdout goes, unless it is to be read.

    An exit code other than `codes` is a failure.
    """
    _adopt_orphans()
    command = [str(word) for word in command]
    with tempfile.TemporaryDirectory() as directory:
        stdout, stderr = Path(directory, "out"), Path(directory, "err")
        launch = ["/bin/sh", "-c", LAUNCH, "sh", out or str(stdout), str(stderr), *command]
        with subprocess.Popen(
            launch, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        ) as shell:
            child = int(shell.stdout.readline())
            shell.wait()
            began = time.perf_counter()
            shell.stdin.write("go\n")
        try:
            _, status, usage = os.wait4(child, 0)
        except KeyboardInterrupt:
            # The shell made it deaf to the terminal.
            os.kill(child, signal.SIGKILL)
            raise
        seconds = time.perf_counter() - began
        result = Run(
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            rss_mib=usage.ru_maxrss / 1024,
            code=os.waitstatus_to_exitcode(status),
            stdout=stdout.read_text(errors="replace") if stdout.exists() else "",
            stderr=stderr.read_text(errors="replace"),
        )
    if result.code not in codes:
        tail = "\n".join(result.stderr.splitlines()[-8:])
        raise Failed(f"`{' '.join(command)}` ended with {result.code}:\n{tail}")
    return result


def warm(word: object) -> None:
    """Reads an input, so that it is in the page cache; any other word of a command is none."""
    path = Path(str(word))
    if path.suffix in {".csv", ".parquet"} and path.is_file():
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def start_seconds(command: list) -> float:
    """From a program's start to its end, with nothing between: for what takes milliseconds."""
    words = [str(word) for word in command]
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    began = time.perf_counter()
    child = os.posix_spawn(words[0], words, os.environ, file_actions=quiet)
    _, status = os.waitpid(child, 0)
    seconds = time.perf_counter() - began
    if status:
        raise Failed(f"`{' '.join(words)}` ended with {os.waitstatus_to_exitcode(status)}")
    return seconds


def check_itself(file: Path) -> None:
    """Holds the memory that is measured against a program known to need almost none."""
    rss_mib = run(["cat", file], out=os.devnull).rss_mib
    if rss_mib > CAT_RSS_MIB_MAX:
        raise Failed(f"`cat` measured at {rss_mib:.1f} MiB: the harness adds to what it measures")


def _adopt_orphans() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise Failed("the system does not let this process adopt orphans; Linux is needed")
