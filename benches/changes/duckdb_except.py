"""The rows of the second night that the first one does not have, as DuckDB finds them."""

import json
import sys
from pathlib import Path

import duckdb

folder = Path(sys.argv[1])
duckdb.sql("SET preserve_insertion_order = false")
read = "SELECT * FROM read_csv('{}', header = true, all_varchar = true)"
query = " EXCEPT ".join(read.format(folder / name) for name in ("night2.csv", "night1.csv"))
print(json.dumps({"rows": duckdb.sql(f"SELECT count(*) FROM ({query})").fetchall()[0][0]}))
