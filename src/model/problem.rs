//! What can be wrong with a row, and the bounded tally of it.

use std::collections::BTreeMap;

use super::Position;

/// How many positions a report names for one problem in one column.
pub const FIRST_POSITIONS_MAX: usize = 10;

/// Whether a problem keeps the row from being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The row is not sent.
    Reject,
    /// The row is sent; somebody should look.
    Warning,
}

impl Severity {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $severity:ident, $help:literal;)+) => {
        /// A rule that a row can break.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The stable name in reports and rejects.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// How it counts by default.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// What it means and what to do.
            pub fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)+ }
            }
        }
    };
}

codes! {
    /// More or fewer fields than the header.
    FieldCount = "field-count", Reject,
        "the record has another number of fields than the header; quote cells that hold the delimiter";
    /// A quote inside a field that does not start with one.
    QuoteInField = "quote-in-field", Reject,
        "a quote stands inside an unquoted field; quote the whole cell and double the quote, or use --lenient-quotes or --quote none";
    /// Something other than a delimiter after a closing quote.
    TextAfterQuote = "text-after-quote", Reject,
        "text follows a closing quote; double the quotes inside a quoted cell, or use --lenient-quotes";
    /// A quoted field that never ends.
    UnclosedQuote = "unclosed-quote", Reject,
        "a quoted field is not closed; close it, or use --quote none where quotes mean nothing";
    /// A record over `--max-record-bytes`.
    RecordTooLong = "record-too-long", Reject,
        "the record is longer than --max-record-bytes; look for a missing quote or line end, or raise the limit";
    /// Bytes that are not UTF-8.
    InvalidUtf8 = "invalid-utf8", Reject,
        "the record is not UTF-8; save the file as UTF-8, or of CSV name what it is, such as --encoding windows-1252";
    /// Bytes that are no characters of the file's encoding.
    InvalidEncoding = "invalid-encoding", Reject,
        "the record holds bytes that are no character in the file's encoding; check --encoding, or mend the record";
    /// A NUL byte.
    NulByte = "nul-byte", Reject,
        "the record holds a NUL byte; export the file again as plain text, or name its encoding, such as --encoding utf-16le";
    /// A line that is no JSON.
    JsonSyntax = "json-syntax", Reject,
        "the line is not JSON; mend it, or export the file again with one object on each line";
    /// A line that ends inside its JSON.
    JsonCutOff = "json-cut-off", Reject,
        "the line ends inside its object; put an object on one line, or export the file again if it was cut short";
    /// JSON that is no object.
    JsonNotObject = "json-not-object", Reject,
        "the line is JSON and no object, so it has no columns; write each row as an object";
    /// Something behind an object.
    JsonTrailing = "json-trailing", Reject,
        "something follows the object on its line; put each object on a line of its own";
    /// Half of a surrogate pair.
    JsonSurrogate = "json-surrogate", Reject,
        "a string holds half of a surrogate pair (\\ud800 to \\udfff), which is no text; mend it at the source, where a text was cut in the middle of a character";
    /// No customer_id.
    IdMissing = "id-missing", Reject,
        "the customer_id is empty; every row needs one, or another identifier where the mapping names one";
    /// A customer_id of one character.
    IdTooShort = "id-too-short", Reject,
        "the customer_id has one character; the API takes two or more";
    /// A customer_id that the API refuses.
    IdDisallowed = "id-disallowed", Reject,
        "the customer_id is one of the 22 values that the API drops, such as `null` or `guest`";
    /// A customer_id that is all but disallowed.
    IdLookalike = "id-lookalike", Warning,
        "trimmed and in lower case the customer_id is a disallowed value, most likely an export accident; --strict-ids rejects such rows";
    /// A customer_id that a spreadsheet or a data frame has made a number of.
    IdAsFloat = "id-as-float", Warning,
        "the customer_id is a number as spreadsheets and data frames write one (123.0, 1.23E+10), which is another id than 123, and several may have become one; export the column as text; --strict-ids rejects such rows";
    /// A number with a point or an exponent as an id.
    IdNotWhole = "id-not-whole", Reject,
        "the id is a number with a point or an exponent, whose text is not the id (7 would be sent as 7.0); write it as a whole number or a string";
    /// Not a number.
    TypeNumber = "type-number", Reject,
        "the cell is not a number; write digits with a point for decimals and nothing else, or map the column as string";
    /// Not a boolean.
    TypeBool = "type-bool", Reject,
        "the cell is not true or false; write one of the two, or map the column as string";
    /// Not a date-time of the expected format.
    TypeDatetime = "type-datetime", Reject,
        "the cell is not a date or date-time of the expected format; use a real calendar date, or set the format in the mapping";
    /// A number that no double can hold.
    NumberRange = "number-range", Reject,
        "the number is beyond the range of a double, which is what the server stores; map the column as string";
    /// NaN or infinite.
    NumberNotFinite = "number-not-finite", Reject,
        "the value is NaN or infinite, which JSON cannot hold; make it null at the source";
    /// More digits than a double keeps.
    NumberPrecision = "number-precision", Warning,
        "the number has more digits than a double keeps exactly, so the server may store another value; map the column as string to keep it";
    /// Digits past milliseconds.
    DatetimePrecision = "datetime-precision", Warning,
        "digits past milliseconds were cut; the server keeps milliseconds";
    /// A local time that a zone's clocks skip or show twice.
    DatetimeClock = "datetime-clock", Reject,
        "the local time is one that the clocks of its time zone skip or show twice; write it with its offset from UTC, or correct the timezone in the mapping";
    /// A date outside of the years that can be written.
    DatetimeRange = "datetime-range", Reject,
        "the date-time lies outside of the years 0000 to 9999, which its text form cannot hold";
    /// A few values keep a column from its narrower type.
    TypeMinority = "type-minority", Warning,
        "at least 99 % of the column fits a narrower type and this value does not; mend the value, map the column, or send it all as string with --accept-inferred";
    /// Larger than a body.
    RowTooLarge = "row-too-large", Reject,
        "the row alone is larger than a request body may be; shorten its texts";
    /// An event without a name.
    ActionMissing = "action-missing", Reject,
        "the event has no action name; fill the action column or give --event";
    /// No time in an event.
    EventNoTime = "event-no-time", Warning,
        "the event has no time, so the server will use the time of its arrival; map a column to user_time or current_time";
    /// A time that is neither ISO 8601 nor epoch seconds.
    EventTime = "event-time", Reject,
        "the event's time is neither a date-time nor epoch seconds";
    /// Epoch milliseconds where seconds are meant.
    EventTimeMilliseconds = "event-time-milliseconds", Reject,
        "the event's time looks like epoch milliseconds; the API takes seconds: divide by 1000";
    /// A date without separators where epoch seconds could be meant.
    EventTimeDate = "event-time-date", Reject,
        "the event's time looks like a date without separators (YYYYMMDD), which no format reads; as epoch seconds it would lie in August 1970: write it as YYYY-MM-DD, or in another format and name that in the mapping";
    /// An offset out of range.
    TimezoneOffset = "timezone-offset", Reject,
        "user_timezone_offset is not a number of seconds from -54000 to 54000";
    /// A platform that the API does not know.
    PlatformValue = "platform-value", Reject,
        "the platform is none of ANDROID, iOS, web and TV (for events also unknown)";
    /// No device_id.
    DeviceIdMissing = "device-id-missing", Reject,
        "the device_id is empty; every device needs one";
    /// A device without `platform`.
    PlatformMissing = "platform-missing", Reject,
        "the device has no platform, which the API requires: ANDROID, iOS, web or TV";
    /// A device without `push_id`.
    PushIdMissing = "push-id-missing", Reject,
        "the device has no push_id, which the API requires";
    /// `moe_push_opted` is neither True nor False.
    PushOptedValue = "push-opted-value", Reject,
        "moe_push_opted is neither True nor False";
    /// An attribute that a device does not have.
    DeviceAttribute = "device-attribute", Warning,
        "the API knows no such attribute of a device and drops it; leave the column out of the mapping";
    /// Not an array of the mapped type.
    TypeArray = "type-array", Reject,
        "the cell is not an array of the mapped type; write elements with the separator between them, in [ ] or without";
    /// A text that looks like one of MoEngage's arrays.
    ArrayAsText = "array-as-text", Warning,
        "the text looks like an array ([a|b]) and is sent as text; a mapping in TOML with type = \"array\" sends it as one";
    /// A string longer than the server keeps.
    StringTooLong = "string-too-long", Warning,
        "the text has more than 512 characters, of which the server keeps the first 512, or none in a list; shorten it";
    /// A URL longer than the server keeps.
    UrlTooLong = "url-too-long", Warning,
        "the URL has more than 512 characters, and the server drops such a value whole; shorten it";
    /// More elements in a list than the server keeps.
    ListTooLong = "list-too-long", Warning,
        "the list has more than 50 elements (of objects: 100), and the server drops the others; shorten it";
    /// Elements of several types in a list.
    ListMixedTypes = "list-mixed-types", Warning,
        "the list's elements are of several types, or lists themselves, and the server casts or drops them; give all one type";
    /// A null in a list.
    ListNull = "list-null", Warning,
        "the list has null elements, which are left out: the server knows no null in a list; fill them or remove them at the source";
    /// An object of more bytes than the server takes.
    ObjectTooLarge = "object-too-large", Warning,
        "the object has more than 25 KB, the most that the server takes; leave fields out or send them as attributes of their own";
    /// More keys in an object than the server takes.
    ObjectKeys = "object-keys", Warning,
        "the object has more than 100 keys, the most that the server takes; leave keys out or send them as attributes of their own";
    /// Objects nested deeper than the server keeps.
    ObjectDepth = "object-depth", Warning,
        "objects are nested more than 2 levels deep, and the server turns deeper levels into strings; flatten them";
    /// Characters that the server refuses in key names.
    ObjectKeyCharacters = "object-key-characters", Warning,
        "a key of an object holds one of `$ . % #`, which the server does not allow in key names; rename it";
    /// One key twice in an object.
    ObjectKeyTwice = "object-key-twice", Reject,
        "a key stands twice in one object or map, so that one of its values would be lost; keep one of them";
    /// A map entry without a key.
    ObjectKeyMissing = "object-key-missing", Reject,
        "a map has an entry whose key is null; give it a key or remove it at the source";
    /// Not a JSON document.
    TypeJson = "type-json", Reject,
        "the cell is not one JSON document; mend it, or map the column as string";
    /// An object or a list where the column is flat, or the other way round.
    TypeNested = "type-nested", Reject,
        "the value is an object or a list and its column is not, or the other way round; give all rows one form; only a column of type json takes objects and lists, and nothing else";
    /// A name of more than 200 characters.
    NameTooLong = "name-too-long", Warning,
        "the server keeps the first 200 characters of a name; shorten it";
    /// A name that the server blocks.
    NameBlocked = "name-blocked", Warning,
        "the server drops attributes and events named `id`, `_id` or nothing; give it another name";
    /// A reserved name.
    NameReserved = "name-reserved", Warning,
        "the name is reserved by MoEngage; give the attribute or event another name";
    /// A name with MoEngage's own prefix.
    NamePrefix = "name-prefix", Warning,
        "names that begin with `moe_` are MoEngage's own and get blocked; give it another name";
    /// An event name with a dot.
    EventNameDot = "event-name-dot", Warning,
        "the server turns the dot in an event's name into a blank; leave it out";
    /// More than 256 user attributes.
    AttributeCount = "attribute-count", Warning,
        "a workspace takes 256 user attributes, and this column comes after them; new ones are dropped";
    /// More than 512 events.
    EventCount = "event-count", Warning,
        "a workspace takes 512 event names, and this one comes after them; new ones are dropped";
    /// More than 100 attributes in one event.
    EventAttributeCount = "event-attribute-count", Warning,
        "the server keeps the first 100 attributes of an event; leave some out";
    /// More attributes that hold objects than a workspace takes.
    ObjectAttributes = "object-attributes", Warning,
        "a workspace takes 10 user attributes and 5 event attributes that hold objects; this column comes after them and is dropped";
    /// A standard attribute of another type than documented.
    StandardType = "standard-type", Warning,
        "the standard attribute has another documented type, and a value of this one breaks pages of the dashboard; change the type in the mapping";
    /// A value that the documentation does not list.
    StandardValue = "standard-value", Warning,
        "the standard attribute has documented values, and this is none of them; moe_email_optin_status is DOUBLE_OPTED_IN, OPTED_OUT or OPT_IN_PENDING: mend it at the source, or leave it empty";
    /// A date that the server keeps as text.
    DateAsText = "date-as-text", Warning,
        "the text looks like a date that does not exist or is not written YYYY-MM-DD, so the server keeps it as text; map the column as datetime with its format, or as string to say that text is meant";
    /// A customer with more requests than fair use allows.
    FairUse = "fair-use", Warning,
        "one customer has more rows here than MoEngage's fair use allows in the time they will be sent, and would be blocked; look for a placeholder id, or send fewer rows a minute";
    /// An id in several rows, under `--only-changed`.
    IdRepeated = "id-repeated", Warning,
        "the id stands in several rows; with --only-changed all of them are sent whenever it does, in the order of the inputs, and the last one is remembered: export each id once";
    /// The server refused the row when it was sent alone.
    ServerRefused = "server-refused", Reject,
        "the server refused this row when it was sent alone; its words say why";
    /// The row was sent, no answer came, and it is not to be sent again.
    InDoubt = "in-doubt", Reject,
        "the row was sent and no answer came, so the server may have it or not; look it up in the dashboard, and import this file if it is missing";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The rule.
    pub code: Code,
    /// How it counts here; flags can turn a warning into a rejection.
    pub severity: Severity,
    /// The column, as an index into the plan's columns.
    pub column: Option<u32>,
    /// What was found or expected, where the rule alone does not say it. A value
    /// only where values may be shown.
    pub detail: Option<Box<str>>,
}

/// Problems by code, severity and column: counts, and the first positions.
///
/// Bounded by codes × columns; it does not grow with the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    entries: BTreeMap<(Severity, Code, Option<u32>), TallyEntry>,
}

/// One line of a [`Tally`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TallyEntry {
    /// Occurrences.
    pub count: u64,
    /// The first [`FIRST_POSITIONS_MAX`] positions, in file order.
    pub first: Vec<Position>,
}

impl Tally {
    /// Counts one problem.
    pub fn add(&mut self, severity: Severity, code: Code, column: Option<u32>, at: Position) {
        self.entries.entry((severity, code, column)).or_default().add(at);
    }

    /// Adds occurrences that were counted elsewhere.
    pub fn add_entry(
        &mut self,
        severity: Severity,
        code: Code,
        column: Option<u32>,
        more: &TallyEntry,
    ) {
        self.entries.entry((severity, code, column)).or_default().merge(more);
    }

    /// Takes in another tally, whichever of the two comes first in the file.
    pub fn merge(&mut self, other: &Self) {
        for (&(severity, code, column), entry) in &other.entries {
            self.add_entry(severity, code, column, entry);
        }
    }

    /// Every line: rejections first, then by code and column.
    pub fn iter(&self) -> impl Iterator<Item = (Severity, Code, Option<u32>, &TallyEntry)> {
        self.entries
            .iter()
            .map(|(&(severity, code, column), entry)| (severity, code, column, entry))
    }

    /// Occurrences of a code in all columns.
    pub fn count(&self, code: Code) -> u64 {
        self.iter().filter(|&(_, c, _, _)| c == code).map(|(.., entry)| entry.count).sum()
    }
}

impl TallyEntry {
    /// Counts one occurrence.
    pub fn add(&mut self, at: Position) {
        self.count += 1;
        self.note(at);
    }

    /// Takes in occurrences that were counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for &at in &other.first {
            self.note(at);
        }
    }

    fn note(&mut self, at: Position) {
        if self.first.len() < FIRST_POSITIONS_MAX
            || self.first.last().is_some_and(|&last| at < last)
        {
            let place = self.first.partition_point(|&seen| seen <= at);
            self.first.insert(place, at);
            self.first.truncate(FIRST_POSITIONS_MAX);
        }
    }
}
