"""DuckDB: read a CSV file and count the values of every column.  usage: duckdb_count.py IN"""

import sys

import duckdb
from checks import header, say

source = sys.argv[1]
columns = header(source)
types = ", ".join(f"'{column}': 'VARCHAR'" for column in columns)
counts = ", ".join(f"count({column})" for column in columns)
rows, *_ = duckdb.execute(
    f"SELECT count(*), {counts} FROM read_csv('{source}', auto_detect = false, header = true, "
    f"columns = {{{types}}}, delim = ',', quote = '\"', escape = '\"', strict_mode = false)"
).fetchone()
say(rows=rows)
