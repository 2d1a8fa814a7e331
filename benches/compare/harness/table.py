"""From runs to figures, and from figures to the table."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from . import measure
from .setup import Data

BEGIN = "<!-- made by benches/compare/run.py --update-readme -->"
END = "<!-- end -->"


@dataclass
class Figure:
    """One thing that is promised."""

    what: str
    value: float
    must: float
    goal: float
    # Whether more is better; else less is.
    more: bool
    unit: str = "×"
    # The median of the ratios of each round, where the value is the ratio of the medians.
    by_rounds: float | None = None

    def row(self) -> str:
        """Its row of the table."""
        bound = "≥" if self.more else "≤"
        cells = [
            self.what,
            f"**{_number(self.value)}** {self.unit}",
            "" if self.by_rounds is None else _number(self.by_rounds),
            f"{bound} {self.must:g}",
            f"{bound} {self.goal:g}",
            self._reached(),
        ]
        return _row(cells)

    def _reached(self) -> str:
        def holds(limit: float) -> bool:
            return self.value >= limit if self.more else self.value <= limit

        return "goal" if holds(self.goal) else "must" if holds(self.must) else "missed"


def render(
    title: str,
    data: tuple[Data, Data],
    rounds: list[dict[str, measure.Run]],
    exchanges: list[dict],
    starts: list[float],
) -> str:
    """The tables, as Markdown."""
    large, small = data
    text = [
        f"{large.rows:,} users of 18 columns, {large.csv.stat().st_size / 1e9:.2f} GB of CSV, "
        f"{large.ten_groups.stat().st_size / 1e9:.2f} GB of Parquet (snappy, ten row groups); "
        f"small: {small.rows:,} of them. Of each program the whole process, in turn, warm page "
        f"cache, medians of {len(rounds)}; its rows agree with moebulk's.",
        "",
        f"On {title}.",
        "",
        _row(["program", "seconds", "processor seconds", "peak MiB"]),
        _row(["---", "--:", "--:", "--:"]),
    ]
    for name in rounds[0]:
        runs = [each[name] for each in rounds]
        cells = [median(run.seconds for run in runs), median(run.cpu_seconds for run in runs)]
        peak = median(run.rss_mib for run in runs)
        text.append(_row([_label(name), *(f"{cell:.2f}" for cell in cells), f"{peak:.0f}"]))
    text += ["", _row(["figure", "ratio", "by rounds", "must", "goal", "reached"])]
    text.append(_row(["---", "--:", "--:", "--:", "--:", "---"]))
    text += [figure.row() for figure in figures(rounds, exchanges, starts)]
    if exchanges:
        text += ["", _rates(exchanges)]
    return "\n".join(text) + "\n"


def figures(
    rounds: list[dict[str, measure.Run]], exchanges: list[dict], starts: list[float]
) -> list[Figure]:
    """All that is promised, in order."""

    def faster(what: str, ours: str, theirs: str, must: float, goal: float) -> Figure:
        return _times(rounds, what, theirs, ours, must, goal, more=True)

    def share(what: str, ours: str, theirs: str, must: float, goal: float) -> Figure:
        return _times(rounds, what, ours, theirs, must, goal, more=False)

    def peak(name: str) -> float:
        return max(each[name].rss_mib for each in rounds)

    def memory(what: str, names: list[str], must: float, goal: float) -> Figure:
        return Figure(what, max(map(peak, names)), must, goal, False, "MiB")

    def growth(what: str, large: str, small: str) -> Figure:
        ratio = _median_rss(rounds, large) / _median_rss(rounds, small)
        return Figure(what, ratio, 1.2, 1.05, False)

    parquet = ["pack, Parquet", "pack, Parquet, one group"]
    result = [
        faster("`pack`, faster than DuckDB `COPY`", "pack", "DuckDB COPY", 6, 10),
        faster("`pack`, faster than polars `sink_ndjson`", "pack", "polars sink_ndjson", 4, 7),
        faster("`pack`, small, faster than pandas", "pack, small", "pandas + orjson", 80, 150),
        share("`pack`, time of a bare loop of the `csv` crate", "pack", "csv crate", 0.7, 0.45),
        share("`pack`, time of `cat`", "pack", "cat", 10, 6),
        faster("`pack`, 2 threads faster than 1", "pack", "pack, 1 thread", 1.7, 1.85),
        faster("`validate`, faster than DuckDB counting", "validate", "DuckDB count", 1, 2),
        faster("Parquet, faster than DuckDB `COPY`", parquet[0], "DuckDB COPY, Parquet", 3, 5),
        faster("Parquet, faster than polars", parquet[0], "polars sink_ndjson, Parquet", 2, 3),
        share("Parquet, one row group to ten", parquet[1], parquet[0], 1.3, 1.1),
        memory("peak memory, CSV", ["pack", "pack, 1 thread", "validate"], 48, 24),
        memory("peak memory, Parquet", parquet, 96, 64),
        growth("memory, all rows to small, CSV", "pack", "pack, small"),
        growth("memory, all rows to small, Parquet", parquet[0], "pack, Parquet, small"),
    ]
    if exchanges:
        result += _sender(exchanges)
    result.append(Figure("`moebulk --help`", median(starts) * 1000, 20, 10, False, "ms"))
    return result


def into_readme(readme: Path, text: str, begin: str = BEGIN) -> None:
    """Puts the tables between the README's marks."""
    before, found, rest = readme.read_text().partition(begin)
    _, end, after = rest.partition(END)
    if not (found and end):
        raise measure.Failed(f"{readme} does not have the marks `{begin}` and `{END}`")
    readme.write_text(f"{before}{begin}\n{text}{END}{after}")


def _times(
    rounds: list[dict[str, measure.Run]],
    what: str,
    over: str,
    under: str,
    must: float,
    goal: float,
    more: bool,
) -> Figure:
    def seconds(name: str) -> list[float]:
        return [each[name].seconds for each in rounds]

    pairs = zip(seconds(over), seconds(under), strict=True)
    ratio = median(seconds(over)) / median(seconds(under))
    by_rounds = median(first / second for first, second in pairs)
    return Figure(what, ratio, must, goal, more, by_rounds=by_rounds)


def _sender(exchanges: list[dict]) -> list[Figure]:
    result = []
    for ours, theirs, server in _pairs(exchanges):
        ratio = median(each[ours] for each in exchanges)
        ratio /= median(each[theirs] for each in exchanges)
        by_rounds = median(each[ours] / each[theirs] for each in exchanges)
        what = f"sending, 16 connections, {server}, rate of `oha`"
        result.append(Figure(what, ratio, 0.8, 0.9, True, by_rounds=by_rounds))
    reached = median(each["reached"] for each in exchanges)
    what = "sending, 64 connections, answers after 50 ms, of the ideal"
    result.append(Figure(what, reached, 0.93, 0.96, True))
    return result


def _rates(exchanges: list[dict]) -> str:
    def rate(name: str) -> str:
        return f"{median(each[name] for each in exchanges):,.0f} bodies a second"

    servers = [
        f"{server}: moebulk, which checks and packs meanwhile, {rate(ours)}, oha {rate(theirs)}"
        for ours, theirs, server in _pairs(exchanges)
    ]
    sentence = "; ".join(servers) or "oha did not build here, and is left out"
    peak = max(each["import_rss_mib"] for each in exchanges)
    held = median(each["held_ms"] for each in exchanges)
    return (
        f"Sending over 16 connections: {sentence}. The import's peak is {peak:.0f} MiB. The late "
        f"answers took {held:.1f} ms at the server."
    )


def _pairs(exchanges: list[dict]) -> list[tuple[str, str, str]]:
    """Import and oha on the same server, and what that does."""
    pairs = [
        ("import, read", "oha, read", "the server only reads"),
        ("import, parse", "oha, parse", "the server parses the JSON"),
        ("import, sandbox", "oha, sandbox", "the server checks every element"),
    ]
    return [pair for pair in pairs if all(pair[1] in each for each in exchanges)]


def _median_rss(rounds: list[dict[str, measure.Run]], name: str) -> float:
    return median(each[name].rss_mib for each in rounds)


def _label(name: str) -> str:
    ours = name.split(",")[0] in ("pack", "validate")
    return f"**moebulk {name}**" if ours else name


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
