"""Names the machine, how busy it was before, and the version of everything that was measured."""

import os
import platform
import subprocess
from pathlib import Path

from .setup import Tools

PEERS = ["duckdb", "polars", "pandas", "pyarrow", "orjson"]


def line(tools: Tools, root: Path) -> str:
    """One paragraph."""
    processor = _field("/proc/cpuinfo", "model name") or platform.processor() or "unknown"
    has_avx2 = "avx2" in _field("/proc/cpuinfo", "flags").split()
    memory_kib = int(_field("/proc/meminfo", "MemTotal").split()[0])
    versions = [
        _first_line([tools.moebulk, "--version"]) + _revision(root),
        _first_line(["rustc", "--version"]).split(" (")[0],
        _first_line([tools.python, "--version"]),
        *_peers(tools),
    ]
    if tools.oha:
        versions.append(_first_line([tools.oha, "--version"]))
    return (
        f"{processor} ({'AVX2' if has_avx2 else 'no AVX2'}), "
        f"{len(os.sched_getaffinity(0))} cores, {memory_kib / 1024 / 1024:.0f} GiB, "
        f"{platform.system()} {platform.release()}, load {os.getloadavg()[0]:.1f} before; "
        f"{', '.join(versions)}"
    )


def _peers(tools: Tools) -> list[str]:
    code = (
        "import sys; from importlib.metadata import version\n"
        "for name in sys.argv[1:]: print(name, version(name))"
    )
    return _output([tools.python, "-c", code, *PEERS]).splitlines()


def _revision(root: Path) -> str:
    try:
        return f" ({_first_line(['git', '-C', root, 'describe', '--always', '--dirty'])})"
    except (OSError, subprocess.CalledProcessError):
        return ""


def _field(file: str, name: str) -> str:
    with open(file, encoding="utf-8") as lines:
        for each in lines:
            key, _, value = each.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""


def _output(command: list) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def _first_line(command: list) -> str:
    return (_output(command).splitlines() or [""])[0]
