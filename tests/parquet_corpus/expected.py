#!/usr/bin/env python3
"""Writes expected.json: what pyarrow reads from the files of apache/parquet-testing.

    pip install pyarrow xxhash
    python3 expected.py PARQUET_TESTING > expected.json
    python3 expected.py PARQUET_TESTING data/list_columns.parquet   # the lines themselves

Each row is one line of JSON, its values written by the rules of docs/values.md. A file is
held to the number of its rows and the xxh3 of its lines, or to words of its error.
"""

import datetime
import decimal
import json
import math
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

# What moebulk refuses, and pyarrow reads or refuses in words of its own.
ERRORS = {
    "data/datapage_v1-corrupt-checksum.parquet": "CRC checksum mismatch",
    "data/rle-dict-uncompressed-corrupt-checksum.parquet": "CRC checksum mismatch",
    # A private field of Dremio's in the place of a newer one of the format.
    "data/dict-page-offset-zero.parquet": "Expected list element type",
    "data/large_string_map.brotli.parquet": "the most is",
}

# What pyarrow cannot read and moebulk can, from the notes of the corpus: a map whose
# schema does not say that keys are required.
BY_HAND = {
    "data/incorrect_map_schema.parquet": ['{"my_map":{"parent":"another","name":"report"}}\n'],
}

BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)


class Bad(Exception):
    """A value that can't be sent, by the code of its problem."""


def has_bytes(kind):
    if any(is_bytes(kind) for is_bytes in BYTES):
        return True
    if isinstance(kind, pa.BaseExtensionType):
        return has_bytes(kind.storage_type)
    return any(has_bytes(kind.field(n).type) for n in range(kind.num_fields))


def number(value):
    """The shortest digits that give the same double."""
    if not math.isfinite(value):
        raise Bad("number-not-finite")
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = decimal.Decimal(repr(value)).as_tuple()
    digits = "".join(map(str, digits)).rstrip("0")
    # Of two that are as short and as near, Python takes the even one, Rust the larger.
    exact = decimal.Decimal(abs(value))
    place = decimal.Decimal(1).scaleb(exact.adjusted() + 1 - len(digits))
    with decimal.localcontext(prec=1000):
        larger = exact.quantize(place, decimal.ROUND_HALF_UP)
    if float(larger) == abs(value):
        digits = "".join(map(str, larger.as_tuple().digits)).rstrip("0")
    exponent = decimal.Decimal(repr(value)).adjusted()
    sign = "-" if sign else ""
    if 1e-6 <= abs(value) < 1e21:
        point = exponent + 1
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        digits = digits.ljust(point, "0")
        fraction = digits[point:]
        return sign + digits[:point] + ("." + fraction if fraction else "")
    fraction = digits[1:]
    return f"{sign}{digits[0]}{'.' + fraction if fraction else ''}e{exponent}"


def instant(value, per_second):
    seconds, rest = divmod(value, per_second)
    try:
        at = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    except OverflowError:
        raise Bad("datetime-range") from None
    milliseconds = rest * 1000 // per_second
    fraction = f".{milliseconds:03}" if milliseconds else ""
    return f"{at.isoformat()}{fraction}Z"


PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def text(scalar):
    """A flat value, and whether it stands in quotes."""
    kind = scalar.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return scalar.as_py(), True
    if pa.types.is_boolean(kind):
        return ("true" if scalar.as_py() else "false"), False
    if pa.types.is_integer(kind):
        return str(scalar.as_py()), False
    if pa.types.is_floating(kind):
        return number(float(scalar.as_py())), False
    if pa.types.is_decimal(kind):
        return format(scalar.as_py(), "f"), False
    if pa.types.is_timestamp(kind):
        return instant(scalar.value, PER_SECOND[kind.unit]), True
    if pa.types.is_date(kind):
        return scalar.as_py().isoformat(), True
    raise TypeError(f"no rule for {kind}")


def quoted(value):
    return json.dumps(value, ensure_ascii=False)


def value_json(scalar):
    kind = scalar.type
    if isinstance(kind, pa.BaseExtensionType):
        return value_json(scalar.value)
    if pa.types.is_map(kind):
        # As a list of structs: a dict would lose keys that stand twice.
        entries = {}
        for entry in scalar.values:
            key, value = entry[0], entry[1]
            if not value.is_valid:
                continue
            name, _ = text(key)
            if name in entries:
                raise Bad("object-key-twice")
            entries[name] = value_json(value)
        return "{" + ",".join(f"{quoted(k)}:{v}" for k, v in entries.items()) + "}"
    if pa.types.is_struct(kind):
        fields = [(field.name, scalar[n]) for n, field in enumerate(kind)]
        kept = [f"{quoted(name)}:{value_json(v)}" for name, v in fields if v.is_valid]
        return "{" + ",".join(kept) + "}"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "[" + ",".join(value_json(v) for v in scalar.values if v.is_valid) + "]"
    value, in_quotes = text(scalar)
    return quoted(value) if in_quotes else value


def lines(path):
    # INT96 as microseconds: nanoseconds wrap around beyond the year 2262.
    table = pq.ParquetFile(path, coerce_int96_timestamp_unit="us").read()
    refused = [field.name for field in table.schema if has_bytes(field.type)]
    columns = [
        (field.name, column)
        for field, column in zip(table.schema, table.columns)
        if not has_bytes(field.type)
    ]
    columns = [(name, [v for chunk in column.chunks for v in chunk]) for name, column in columns]
    rows = []
    for row in range(table.num_rows):
        cells = []
        for name, values in columns:
            scalar = values[row]
            if not scalar.is_valid:
                continue
            try:
                cells.append(f"{quoted(name)}:{value_json(scalar)}")
            except Bad as bad:
                cells.append(f"{quoted(name)}:!{bad}")
        rows.append("{" + ",".join(cells) + "}\n")
    return rows, refused


def main():
    corpus = pathlib.Path(sys.argv[1])
    if len(sys.argv) > 2:
        sys.stdout.write("".join(lines(corpus / sys.argv[2])[0]))
        return
    expected = {}
    for path in sorted(corpus.glob("data/**/*.parquet*")):
        name = path.relative_to(corpus).as_posix()
        if path.suffix == ".json":
            continue
        if path.suffix == ".encrypted":
            expected[name] = {"error": "encrypted"}
        elif name in ERRORS:
            expected[name] = {"error": ERRORS[name]}
        else:
            try:
                rows, refused = (BY_HAND[name], []) if name in BY_HAND else lines(path)
            except (OSError, pa.ArrowException) as error:
                print(f"{name}: {error}", file=sys.stderr)
                continue
            digest = xxhash.xxh3_64_hexdigest("".join(rows).encode())
            expected[name] = {"rows": len(rows), "xxh3": digest}
            if refused:
                expected[name]["bytes"] = refused
    json.dump(expected, sys.stdout, indent=1)
    print()


main()
