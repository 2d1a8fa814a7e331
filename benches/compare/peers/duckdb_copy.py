"""DuckDB: read, check ids and types, write a JSON object a line.  usage: duckdb_copy.py IN OUT"""

import sys

import duckdb
from checks import BOOLS, DATE, DATES, DISALLOWED_IDS, NUMBER, NUMBERS, header, say

source, out = sys.argv[1:3]
connection = duckdb.connect()
# Both are what makes it fast: rows in any order, and no look-up of the session's zone.
connection.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")

ids = ", ".join(f"'{text}'" for text in DISALLOWED_IDS)
checks = [f"length(customer_id) > 1 AND customer_id NOT IN ({ids})"]
values = ["*"]
if source.endswith(".parquet"):
    table = f"read_parquet('{source}')"
else:
    # As text: DuckDB's own types would end the whole read, or drop a row without a word.
    columns = header(source)
    types = ", ".join(f"'{column}': 'VARCHAR'" for column in columns)
    table = (
        f"read_csv('{source}', auto_detect = false, header = true, columns = {{{types}}}, "
        "delim = ',', quote = '\"', escape = '\"', strict_mode = false, parallel = true)"
    )
    values = []
    for column in columns:
        value, check = column, None
        if column in DATES:
            check = (
                f"regexp_full_match({column}, '{DATE}') "
                f"AND TRY_CAST({column}[1:10] AS DATE) IS NOT NULL"
            )
        elif column in BOOLS:
            check = f"lower({column}) IN ('true', 'false')"
            value = f"(lower({column}) = 'true') AS {column}"
        elif column in NUMBERS:
            check = f"regexp_full_match({column}, '{NUMBER}')"
            # Joined to nothing, so that the cast is not pushed into the scan.
            value = f"TRY_CAST(({column} || '') AS DOUBLE) AS {column}"
        if check:
            checks.append(f"({column} IS NULL OR {check})")
        values.append(value)

query = f"SELECT {', '.join(values)} FROM {table} WHERE {' AND '.join(checks)}"
(kept,) = connection.execute(f"COPY ({query}) TO '{out}' (FORMAT json)").fetchone()
say(kept=kept)
