"""polars: read, check ids and types, write a JSON object a line.

usage: polars_ndjson.py IN OUT, or with `count` for OUT: how many rows it keeps, in a run of its
own, since a sink does not tell.
"""

import sys

import polars as pl
from checks import BOOLS, DATE, DATES, DISALLOWED_IDS, NUMBER, NUMBERS, say

source, out = sys.argv[1:3]
customer_id = pl.col("customer_id")
checks = [customer_id.str.len_chars() > 1, ~customer_id.is_in(DISALLOWED_IDS)]
values = [pl.all()]
if source.endswith(".parquet"):
    frame = pl.scan_parquet(source)
else:
    frame = pl.scan_csv(source, infer_schema=False)
    values = []
    for name in frame.collect_schema().names():
        column = value = pl.col(name)
        check = None
        if name in DATES:
            day = column.str.head(10).str.to_date("%Y-%m-%d", strict=False)
            check = column.str.contains(f"^{DATE}$") & day.is_not_null()
        elif name in BOOLS:
            lower = column.str.to_lowercase()
            check, value = lower.is_in(["true", "false"]), (lower == "true").alias(name)
        elif name in NUMBERS:
            check = column.str.contains(f"^{NUMBER}$")
            value = column.cast(pl.Float64, strict=False)
        if check is not None:
            checks.append(column.is_null() | check)
        values.append(value)

kept = frame.filter(pl.all_horizontal(checks)).select(values)
if out == "count":
    # Of every value, so that nothing of the work is left out.
    counts = kept.select(pl.len().alias("kept"), pl.all().count().name.prefix("values of "))
    say(kept=counts.collect(engine="streaming").row(0)[0])
else:
    kept.sink_ndjson(out)
