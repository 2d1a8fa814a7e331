#!/usr/bin/env python3
"""Makes the README's two pictures: a report's page and a run on a terminal, both of `samples/`.

    cargo build && python3 docs/images/make.py [--binary target/debug/moebulk]

Needs chromium with chromedriver, and tmux. Everything runs in a directory of its own with a bare shell,
so that the pictures hold no path and no name of the machine.
"""

import argparse
import base64
import html
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent

# A picture of the README, in bytes.
BYTES_MAX = 150_000

COLUMNS, LINES = 100, 30

# The sixteen colours of a terminal and its own two, on a dark ground.
PALETTE = ["#1b1f25", "#ee7b68", "#4db38e", "#dfa347", "#7aa6f2", "#ab8bdd", "#43b5ae", "#e9ebee"]
PALETTE += ["#717c8a", "#ff9a8a", "#6fd3ae", "#f2c069", "#9dbdf7", "#c6aef0", "#6fd0c9", "#ffffff"]
INK, GROUND = "#e9ebee", "#13161a"


def program(*names: str) -> str:
    """The path of the first of some programs that is there; ends the script where none is."""
    for name in names:
        if path := shutil.which(name):
            return path
    sys.exit(f"make.py needs {' or '.join(names)}, which is not on the path")


class Browser:
    """A headless chromium behind chromedriver."""

    def __init__(self, chromium: str, chromedriver: str, profile: str):
        self.driver = subprocess.Popen(
            [chromedriver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        ports = (re.search(r"successfully on port (\d+)", line) for line in self.driver.stdout)
        self.url = f"http://127.0.0.1:{next(found for found in ports if found)[1]}"
        # A root user needs no-sandbox, and the pages are ours.
        args = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                "--disable-background-networking", f"--user-data-dir={profile}"]
        options = {"goog:chromeOptions": {"binary": chromium, "args": args}}
        session = self.post("/session", {"capabilities": {"alwaysMatch": options}})
        self.url += f"/session/{session['sessionId']}"

    def post(self, path: str, body: dict, method: str = "POST"):
        data = None if method == "DELETE" else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def devtools(self, command: str, **params):
        return self.post("/goog/cdp/execute", {"cmd": command, "params": params})

    def picture(self, page: pathlib.Path, width: int, height: int | None, selector: str = "html") -> bytes:
        """A page's top as PNG, so many pixels wide and high; without a height as high as an element."""
        self.devtools("Emulation.setDeviceMetricsOverride",
                      width=width, height=height or 800, deviceScaleFactor=1, mobile=False)
        light = [{"name": "prefers-color-scheme", "value": "light"}]
        self.devtools("Emulation.setEmulatedMedia", features=light)
        self.post("/url", {"url": page.as_uri()})
        script = f"return Math.ceil(document.querySelector({selector!r}).getBoundingClientRect().bottom)"
        height = height or self.post("/execute/sync", {"script": script, "args": []})
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.devtools("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def close(self):
        try:
            self.post("", {}, "DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait()


def terminal(tmux: str, room: pathlib.Path, command: str, wanted: str) -> list[str]:
    """The lines of a terminal, with its colours, when a command has shown some text; then it is stopped."""
    env = {"PATH": f"{room}:/usr/bin:/bin", "HOME": str(room), "PS1": "$ ", "TERM": "xterm-256color",
           "LANG": "C.UTF-8", "TMUX_TMPDIR": str(room)}
    shell = "env " + " ".join(f"{name}='{value}'" for name, value in env.items()) + " bash --norc --noprofile"
    call = [tmux, "-L", "moebulk-images", "-f", "/dev/null"]
    size = ["-x", str(COLUMNS), "-y", str(LINES)]

    def run(*args: str) -> str:
        done = subprocess.run([*call, *args], check=True, env=os.environ | env, capture_output=True, text=True)
        return done.stdout

    def wait(wanted: str) -> str:
        deadline = time.monotonic() + 120
        while not re.search(wanted, pane := run("capture-pane", "-e", "-p")):
            if time.monotonic() > deadline:
                sys.exit(f"no {wanted!r} after {command!r} on:\n{pane}")
            time.sleep(0.2)
        return pane

    run("new-session", "-d", *size, "-c", str(room), shell)
    try:
        wait(r"\$")
        # Typed below an empty screen, the command stands once.
        run("send-keys", "clear; " + command.replace("\\\n", " "), "Enter")
        pane = wait(wanted)
        run("send-keys", "C-c")
        wait(r"\n\$ *\n*$")
    finally:
        run("kill-server")
    return [f"$ {command}", *pane.rstrip("\n").split("\n")]


def spans(line: str) -> str:
    """A line with its escape sequences for colours as HTML."""
    parts, style = [], {}
    for index, part in enumerate(re.split(r"\x1b\[([0-9;]*)m", line)):
        if index % 2 == 0:
            css = ";".join(f"{name}:{value}" for name, value in style.items())
            parts.append(f"<span style=\"{css}\">{html.escape(part)}</span>" if css else html.escape(part))
            continue
        for code in (int(code or 0) for code in part.split(";")):
            if code == 0:
                style.clear()
            elif code == 1:
                style["font-weight"] = "bold"
            elif code == 2:
                style["opacity"] = "0.6"
            elif code == 22:
                style.pop("font-weight", None)
                style.pop("opacity", None)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                style["color"] = PALETTE[code - 30 if code < 90 else code - 82]
            elif code == 39:
                style.pop("color", None)
    return "".join(parts)


def shown(lines: list[str]) -> str:
    """Lines of a terminal as a page."""
    text = "\n".join(spans(line) for line in lines)
    return f"""<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #fff }}
pre {{ margin: 0; padding: 20px 24px 22px; background: {GROUND}; color: {INK};
  font: 15px/1.45 "DejaVu Sans Mono", Menlo, Consolas, monospace; width: {COLUMNS}ch; }}
</style><pre>{text}</pre>"""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def small(png: bytes) -> bytes:
    """The same picture with a palette of at most 256 colours, the rare ones as the nearest of them."""
    at, packed, width, height, bytes_each = 8, b"", 0, 0, 3
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, _, color = struct.unpack(">IIBB", data[:10])
            bytes_each = {2: 3, 6: 4}[color]
        elif kind == b"IDAT":
            packed += data
        at += 12 + length
    raw, stride = zlib.decompress(packed), width * bytes_each
    rows, before = [], bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        before = unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), before, bytes_each)
        rows.append([bytes(before[x : x + 3]) for x in range(0, stride, bytes_each)])
    counts: dict[bytes, int] = {}
    for row in rows:
        for pixel in row:
            counts[pixel] = counts.get(pixel, 0) + 1
    palette = sorted(counts, key=lambda pixel: -counts[pixel])[:256]
    index = {pixel: at for at, pixel in enumerate(palette)}
    for pixel in counts:
        if pixel not in index:
            apart = [sum((a - b) ** 2 for a, b in zip(pixel, other)) for other in palette]
            index[pixel] = apart.index(min(apart))
    lines = b"".join(b"\0" + bytes(index[pixel] for pixel in row) for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return (png[:8] + chunk(b"IHDR", head) + chunk(b"PLTE", b"".join(palette))
            + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))


def unfiltered(kind: int, line: bytearray, above: bytearray, bytes_each: int) -> bytearray:
    """A line of a PNG without its filter."""
    for x in range(len(line)):
        left = line[x - bytes_each] if x >= bytes_each else 0
        corner = above[x - bytes_each] if x >= bytes_each else 0
        if kind == 1:
            line[x] = (line[x] + left) & 255
        elif kind == 2:
            line[x] = (line[x] + above[x]) & 255
        elif kind == 3:
            line[x] = (line[x] + (left + above[x]) // 2) & 255
        elif kind == 4:
            guess = left + above[x] - corner
            line[x] = (line[x] + min((left, above[x], corner), key=lambda near: abs(guess - near))) & 255
    return line


def write(name: str, png: bytes):
    """Writes a picture, and ends the script where it is too large for a README."""
    png = small(png)
    (HERE / name).write_bytes(png)
    print(f"docs/images/{name}: {len(png):,} bytes")
    if len(png) > BYTES_MAX:
        sys.exit(f"docs/images/{name} is larger than {BYTES_MAX:,} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/debug/moebulk")
    binary = parser.parse_args().binary
    chromium = program("chromium", "chromium-browser", "google-chrome")
    chromedriver, tmux = program("chromedriver"), program("tmux")
    if not binary.is_file():
        sys.exit(f"{binary} is not there: cargo build makes it, --binary names another one")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as dir:
        room = pathlib.Path(dir)
        shutil.copy(binary, room / "moebulk")
        for name in ["customers.csv", "customers-dirty.csv", "users-mapping.json"]:
            shutil.copy(ROOT / "samples" / name, room)
        # Read and checked in full first; then the budget of the second minute is waited for.
        pane = terminal(
            tmux,
            room,
            "moebulk import customers.csv customers-dirty.csv --mapping users-mapping.json"
            " --sandbox \\\n    --users-per-minute 400",
            r"budget frees in",
        )
        check = ["validate", "customers-dirty.csv", "--mapping", "users-mapping.json", "--run-dir", "check"]
        subprocess.run([room / "moebulk", *check], cwd=room, check=False, capture_output=True)
        browser = Browser(chromium, chromedriver, str(room / "profile"))
        try:
            report = room / "check" / "report.html"
            write("report.png", browser.picture(report, 1200, 1000))
            page = room / "terminal.html"
            page.write_text(shown(pane), encoding="utf-8")
            width = browser_width(browser, page)
            write("terminal.png", browser.picture(page, width, None, "pre"))
        finally:
            browser.close()


def browser_width(browser: Browser, page: pathlib.Path) -> int:
    """How wide a page's text is, which the fonts decide."""
    browser.picture(page, 1600, None, "pre")
    script = "return Math.ceil(document.querySelector('pre').getBoundingClientRect().right)"
    return browser.post("/execute/sync", {"script": script, "args": []})


if __name__ == "__main__":
    main()
