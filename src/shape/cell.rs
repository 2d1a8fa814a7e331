//! One cell as its source gives it, before its column's type is applied.

use crate::model::{Code, CodeSet};

/// One cell of a source row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Null, or no such column in this file.
    Absent,
    /// Text, from CSV or a Parquet string column; may be empty.
    Text(&'a str),
    /// A number of a typed column.
    Number {
        /// Its digits, in JSON grammar.
        digits: &'a str,
        /// It came from a floating-point column: the digits are the shortest that
        /// give the same double, so however many they are, nothing is lost.
        binary: bool,
    },
    /// A boolean of a typed column.
    Bool(bool),
    /// A date or a date-time of a typed column.
    DateTime {
        /// `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ss[.fff]Z`.
        text: &'a str,
        /// Digits past milliseconds were not zero and were cut.
        cut: bool,
    },
    /// A list or an object.
    Json {
        /// Its JSON, as it is sent.
        json: &'a str,
        /// The limits that it breaks.
        flaws: CodeSet,
    },
    /// A value that cannot be written down.
    Bad(Code),
}
