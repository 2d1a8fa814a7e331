//! Rejected rows of CSV files, in the dialect that they came in.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use super::staged::Staged;
use crate::model::{GUARD, GUARDED_COLUMN, TextEncoding, TextRows, needs_guard, unguarded};

/// How the fields of a CSV file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceDialect {
    /// Between two fields.
    pub delimiter: u8,
    /// Around a field; `None` where quotes mean nothing.
    pub quote: Option<u8>,
    /// Before a character that is to be taken as it is; `None` where a quote is doubled
    /// instead.
    pub escape: Option<u8>,
    /// What the text is encoded in.
    pub encoding: TextEncoding,
}

impl SourceDialect {
    /// Appends one field, quoted if it must be, or escaped in a dialect without quotes. A
    /// dialect without both can't hold delimiters and line ends: spaces stand for them. No
    /// field of such a source has any.
    fn push_field(&self, out: &mut Vec<u8>, field: &[u8]) {
        let breaks = |byte: u8| byte == self.delimiter || byte == b'\n' || byte == b'\r';
        let escapes = |byte: u8| Some(byte) == self.escape;
        let Some(quote) = self.quote else {
            for &byte in field {
                // A CR ends a line only with the LF behind it.
                let ends = byte == self.delimiter || byte == b'\n';
                match self.escape {
                    Some(escape) if ends || byte == escape => out.extend([escape, byte]),
                    None if ends => out.push(b' '),
                    _ => out.push(byte),
                }
            }
            return;
        };
        let special = |byte: u8| byte == quote || escapes(byte);
        if field.iter().any(|&byte| breaks(byte) || special(byte)) {
            self.push_quoted(quote, out, field);
        } else {
            out.extend_from_slice(field);
        }
    }

    fn push_quoted(&self, quote: u8, out: &mut Vec<u8>, field: &[u8]) {
        let special = |byte: u8| byte == quote || Some(byte) == self.escape;
        out.push(quote);
        for &byte in field {
            if special(byte) {
                out.push(self.escape.unwrap_or(quote));
            }
            out.push(byte);
        }
        out.push(quote);
    }

    /// Appends the header. Names in a quote other than the usual one are all enclosed, which
    /// is how an import finds that quote where it is not told.
    fn push_header<'a>(&self, out: &mut Vec<u8>, names: impl IntoIterator<Item = &'a str>) {
        for (index, name) in names.into_iter().enumerate() {
            if index > 0 {
                out.push(self.delimiter);
            }
            match self.quote {
                Some(quote) if quote != b'"' => self.push_quoted(quote, out, name.as_bytes()),
                _ => self.push_field(out, name.as_bytes()),
            }
        }
    }
}

/// Which columns of a source are written, and how they stand there.
#[derive(Debug)]
pub(super) struct Kept {
    /// Their indices.
    pub columns: Vec<usize>,
    /// Whether that is every column.
    pub whole: bool,
    /// The source's cells are guarded themselves.
    pub guarded: bool,
}

/// A rejects file in one dialect.
#[derive(Debug)]
pub(super) struct CsvRows {
    to: Staged,
    dialect: SourceDialect,
    /// Cells that a spreadsheet would run are guarded.
    safe: bool,
    /// One line, built in full before it is written.
    line: Vec<u8>,
    /// The line in the file's encoding, where that is not UTF-8.
    encoded: Vec<u8>,
}

impl CsvRows {
    /// Begins the file with its header: the source's columns, and those that follow.
    pub fn begin<'a>(
        to: Staged,
        dialect: SourceDialect,
        safe: bool,
        columns: impl Iterator<Item = &'a str>,
        extra: impl Iterator<Item = &'a str>,
    ) -> io::Result<Self> {
        let mut rows = Self { to, dialect, safe, line: Vec::new(), encoded: Vec::new() };
        if dialect.encoding.is_utf_16() {
            rows.to.write_all(dialect.encoding.mark())?;
        }
        let guarded = |name: &str| {
            String::from_utf8_lossy(&rows.guard(Cow::Borrowed(name.as_bytes()))).into_owned()
        };
        let mut header: Vec<String> = columns.map(guarded).collect();
        header.extend(safe.then(|| GUARDED_COLUMN.to_owned()));
        header.extend(extra.map(str::to_owned));
        dialect.push_header(&mut rows.line, header.iter().map(String::as_str));
        rows.end_line()?;
        Ok(rows)
    }

    /// Writes one row and the fields that follow it: the raw bytes, or where only some of
    /// the columns are kept, or cells are guarded, those anew. A file's last record may end in
    /// an escape that has nothing to escape, but here something follows: so that one is
    /// written anew too.
    pub fn write<'a>(
        &mut self,
        rows: &TextRows,
        row: usize,
        kept: &Kept,
        extra: impl IntoIterator<Item = &'a str>,
    ) -> io::Result<()> {
        let raw = rows.raw(row);
        let is_open = self.dialect.escape.is_some_and(|escape| raw.last() == Some(&escape));
        if kept.whole && !is_open && !self.safe {
            self.line.extend_from_slice(raw);
        } else {
            for (index, &column) in kept.columns.iter().enumerate() {
                let cell = rows.cell(row, column);
                let cell = match std::str::from_utf8(cell) {
                    Ok(text) if kept.guarded => unguarded(text).as_bytes(),
                    _ => cell,
                };
                if index > 0 {
                    self.line.push(self.dialect.delimiter);
                }
                let cell = self.guard(Cow::Borrowed(cell));
                self.dialect.push_field(&mut self.line, &cell);
            }
        }
        if self.safe {
            self.line.extend([self.dialect.delimiter, b'1']);
        }
        for field in extra {
            let field = self.guard(Cow::Borrowed(field.as_bytes()));
            let field = String::from_utf8_lossy(&field);
            self.line.push(self.dialect.delimiter);
            if self.dialect.quote.is_none() && field.contains(['\r', '\n']) {
                // Words of ours need not be kept to the byte, and are easier to read on one line.
                let field = field.replace(['\r', '\n'], " ");
                self.dialect.push_field(&mut self.line, field.as_bytes());
            } else {
                self.dialect.push_field(&mut self.line, field.as_bytes());
            }
        }
        self.end_line()
    }

    /// The cell, guarded where it needs it here.
    fn guard<'a>(&self, cell: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        if self.safe && needs_guard(&cell) { [&[GUARD], &*cell].concat().into() } else { cell }
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.line.push(b'\n');
        let written = if self.dialect.encoding == TextEncoding::Utf8 {
            self.to.write_all(&self.line)
        } else {
            self.encoded.clear();
            self.dialect.encoding.encode(&self.line, &mut self.encoded);
            self.to.write_all(&self.encoded)
        };
        self.line.clear();
        written
    }

    /// The file, all rows written.
    pub fn into_staged(self) -> Staged {
        self.to
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dialect(delimiter: u8, quote: Option<u8>, escape: Option<u8>) -> SourceDialect {
        SourceDialect { delimiter, quote, escape, encoding: TextEncoding::Utf8 }
    }

    fn text(dialect: SourceDialect, fields: &[&str]) -> String {
        let mut out = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                out.push(dialect.delimiter);
            }
            dialect.push_field(&mut out, field.as_bytes());
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_only_where_the_dialect_needs_them() {
        let fields = ["plain text", "a,b", "a;b", "say \"hi\"", "two\nlines", "", "it's", r"C:\"];
        let cases = [
            (
                dialect(b',', Some(b'"'), None),
                "plain text,\"a,b\",a;b,\"say \"\"hi\"\"\",\"two\nlines\",,it's,C:\\",
            ),
            (
                dialect(b';', Some(b'\''), None),
                "plain text;a,b;'a;b';say \"hi\";'two\nlines';;'it''s';C:\\",
            ),
            (dialect(b',', None, None), "plain text,a b,a;b,say \"hi\",two lines,,it's,C:\\"),
            (
                dialect(b',', None, Some(b'\\')),
                "plain text,a\\,b,a;b,say \"hi\",two\\\nlines,,it's,C:\\\\",
            ),
            (
                dialect(b',', Some(b'"'), Some(b'\\')),
                "plain text,\"a,b\",a;b,\"say \\\"hi\\\"\",\"two\nlines\",,it's,\"C:\\\\\"",
            ),
        ];
        for (dialect, expected) in cases {
            assert_eq!(text(dialect, &fields), expected);
        }
    }

    proptest! {
        #[test]
        fn every_field_reads_back(
            fields in prop::collection::vec("[a;,\"'\\\\\r\n é]{0,6}", 2..5),
            quote in prop::sample::select(vec![b'"', b'\'']),
            escape in prop::sample::select(vec![None, Some(b'\\')]),
        ) {
            let dialect = dialect(b';', Some(quote), escape);
            let line = text(dialect, &fields.iter().map(String::as_str).collect::<Vec<_>>());
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .delimiter(b';')
                .quote(quote)
                .escape(escape)
                .double_quote(escape.is_none())
                .from_reader(line.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(record.iter().collect::<Vec<_>>(), fields);
        }
    }
}
