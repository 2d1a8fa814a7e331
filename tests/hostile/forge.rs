//! Parquet files by hand, byte by byte, since no writer writes what these say.

/// Thrift's compact protocol, every field with its id written out.
#[derive(Clone, Default)]
pub struct Thrift(Vec<u8>);

pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

pub fn zigzag(value: i64) -> Vec<u8> {
    varint((value << 1 ^ value >> 63) as u64)
}

impl Thrift {
    pub fn raw(mut self, kind: u8, id: i64, value: &[u8]) -> Self {
        self.0.push(kind);
        self.0.extend(zigzag(id));
        self.0.extend_from_slice(value);
        self
    }

    pub fn flag(self, id: i64, value: bool) -> Self {
        self.raw(if value { 1 } else { 2 }, id, &[])
    }

    pub fn i32(self, id: i64, value: i64) -> Self {
        self.raw(5, id, &zigzag(value))
    }

    pub fn i64(self, id: i64, value: i64) -> Self {
        self.raw(6, id, &zigzag(value))
    }

    pub fn text(self, id: i64, text: &[u8]) -> Self {
        self.raw(8, id, &[&varint(text.len() as u64), text].concat())
    }

    pub fn list(self, id: i64, kind: u8, items: &[Vec<u8>]) -> Self {
        let head = [&[0xf0 | kind][..], &varint(items.len() as u64)].concat();
        self.raw(9, id, &[head, items.concat()].concat())
    }

    pub fn inner(self, id: i64, inner: Thrift) -> Self {
        self.raw(12, id, &inner.end())
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.push(0);
        self.0
    }
}

pub const STRUCT: u8 = 12;
pub const BINARY: u8 = 8;

/// Physical types, encodings and codecs by their numbers.
pub const BYTE_ARRAY: i64 = 6;
pub const FIXED: i64 = 7;
pub const PLAIN: i64 = 0;
pub const RLE: i64 = 3;
pub const DELTA_LENGTH: i64 = 6;
pub const DELTA_BYTES: i64 = 7;
pub const RLE_DICTIONARY: i64 = 8;
pub const CODECS: [(&str, i64); 7] = [
    ("uncompressed", 0),
    ("snappy", 1),
    ("gzip", 2),
    ("brotli", 4),
    ("lz4", 5),
    ("zstd", 6),
    ("lz4_raw", 7),
];

/// A page: its header and its body.
pub type Page = Vec<u8>;

/// A data page of the first version.
pub fn data_page(values: i64, encoding: i64, uncompressed: i64, body: &[u8]) -> Page {
    let inner = Thrift::default().i32(1, values).i32(2, encoding).i32(3, RLE).i32(4, RLE);
    page(0, uncompressed, 5, inner, body)
}

pub fn dictionary_page(values: i64, uncompressed: i64, body: &[u8]) -> Page {
    page(2, uncompressed, 7, Thrift::default().i32(1, values).i32(2, PLAIN), body)
}

pub fn page(kind: i64, uncompressed: i64, id: i64, inner: Thrift, body: &[u8]) -> Page {
    let header = Thrift::default().i32(1, kind).i32(2, uncompressed).i32(3, body.len() as i64);
    [header.inner(id, inner).end(), body.to_vec()].concat()
}

/// A column, and its chunk in each row group.
#[derive(Clone)]
pub struct Column {
    pub name: String,
    pub physical: i64,
    pub type_length: i64,
    /// Whether it is marked as text.
    pub text: bool,
    /// Whether each row has a list of its values.
    pub list: bool,
    pub codec: i64,
    pub encoding: i64,
    /// Whether the first page is a dictionary.
    pub dictionary: bool,
    pub pages: Vec<Page>,
}

impl Column {
    /// A column of texts without nulls.
    pub fn texts(name: &str, codec: i64, encoding: i64, pages: Vec<Page>) -> Self {
        Self {
            name: name.to_owned(),
            physical: BYTE_ARRAY,
            type_length: 0,
            text: true,
            list: false,
            codec,
            encoding,
            dictionary: encoding == RLE_DICTIONARY,
            pages,
        }
    }

    fn schema(&self) -> Vec<Vec<u8>> {
        let leaf = |name: &str| {
            let leaf = Thrift::default().i32(1, self.physical);
            let leaf = if self.type_length > 0 { leaf.i32(2, self.type_length) } else { leaf };
            let leaf = leaf.i32(3, 0).text(4, name.as_bytes());
            if self.text { leaf.i32(6, 0) } else { leaf }.end()
        };
        if !self.list {
            return vec![leaf(&self.name)];
        }
        let outer = Thrift::default().i32(3, 0).text(4, self.name.as_bytes()).i32(5, 1).i32(6, 3);
        let inner = Thrift::default().i32(3, 2).text(4, b"list").i32(5, 1);
        vec![outer.end(), inner.end(), leaf("element")]
    }

    fn path(&self) -> Vec<Vec<u8>> {
        let parts: &[&str] =
            if self.list { &[&self.name, "list", "element"] } else { &[&self.name] };
        let part = |part: &&str| [varint(part.len() as u64), part.as_bytes().to_vec()].concat();
        parts.iter().map(part).collect()
    }
}

/// Plain texts: each with its length before it.
pub fn plain(texts: &[&[u8]]) -> Vec<u8> {
    texts.iter().flat_map(|text| [&(text.len() as u32).to_le_bytes()[..], text].concat()).collect()
}

/// A file of `groups` row groups of `rows` rows, which all have the same bytes.
pub fn file(columns: &[Column], rows: i64, groups: usize) -> Vec<u8> {
    let mut file = b"PAR1".to_vec();
    let mut chunks = Vec::new();
    for column in columns {
        let start = file.len() as i64;
        let bytes = column.pages.concat();
        let first = if column.dictionary { column.pages[0].len() as i64 } else { 0 };
        file.extend(&bytes);
        let meta = Thrift::default()
            .i32(1, column.physical)
            .list(2, 5, &[zigzag(column.encoding)])
            .list(3, BINARY, &column.path())
            .i32(4, column.codec)
            .i64(5, rows)
            .i64(6, bytes.len() as i64)
            .i64(7, bytes.len() as i64)
            .i64(9, start + first);
        let meta = if column.dictionary { meta.i64(11, start) } else { meta };
        chunks.push(Thrift::default().i64(2, start).inner(3, meta).end());
    }
    let group = Thrift::default().list(1, STRUCT, &chunks).i64(2, 1).i64(3, rows).end();
    let root = Thrift::default().text(4, b"schema").i32(5, columns.len() as i64).end();
    let schema: Vec<Vec<u8>> =
        std::iter::once(root).chain(columns.iter().flat_map(Column::schema)).collect();
    let footer = Thrift::default()
        .i32(1, 2)
        .list(2, STRUCT, &schema)
        .i64(3, rows * groups as i64)
        .list(4, STRUCT, &vec![group; groups]);
    with_footer(file, footer)
}

/// Ends a file.
pub fn with_footer(mut file: Vec<u8>, footer: Thrift) -> Vec<u8> {
    let footer = footer.end();
    file.extend(&footer);
    file.extend((footer.len() as u32).to_le_bytes());
    file.extend(b"PAR1");
    file
}

/// Integers as `DELTA_BINARY_PACKED`: the first, then equal steps of one block of any size,
/// in a few bytes.
pub fn delta_steps(count: u64, first: i64, step: i64) -> Vec<u8> {
    let block = (count.max(1)).next_multiple_of(128).max(128);
    let head = [varint(block), varint(1), varint(count), zigzag(first)].concat();
    if count > 1 { [head, zigzag(step), vec![0]].concat() } else { head }
}
