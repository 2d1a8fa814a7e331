//! Lists, structs and maps of Arrow, told to a sink value by value.

use std::{cell::RefCell, ops::Range};

use arrow::{
    array::{Array, AsArray, FixedSizeListArray},
    datatypes::DataType,
};

use super::{
    arrow_cells::{ArrowColumn, Unreadable},
    cell::Cell,
    nested::{Buffers, KnownKey, Sink},
};
use crate::model::Code;

/// A view of one nested column of a batch.
#[derive(Debug)]
pub(super) struct Nested<'a> {
    layout: Layout<'a>,
    /// Objects of an attribute that the column's values stand in.
    levels: usize,
    /// What a value of the column is written with; used by the outermost column alone.
    work: RefCell<Work>,
}

#[derive(Debug, Default)]
struct Work {
    buffers: Buffers,
    scratch: String,
}

#[derive(Debug)]
enum Layout<'a> {
    List { spans: Spans<'a>, items: ArrowColumn<'a> },
    Struct(Vec<(KnownKey, ArrowColumn<'a>)>),
    Map { spans: Spans<'a>, keys: ArrowColumn<'a>, values: ArrowColumn<'a> },
}

/// Which items belong to a row.
#[derive(Debug)]
enum Spans<'a> {
    Offsets(&'a [i32]),
    LargeOffsets(&'a [i64]),
    Views(&'a [i32], &'a [i32]),
    LargeViews(&'a [i64], &'a [i64]),
    Fixed(&'a FixedSizeListArray),
}

impl Spans<'_> {
    /// The items of a row. Arrow holds offsets and sizes to be positive and in range.
    fn of(&self, row: usize) -> Range<usize> {
        match self {
            Self::Offsets(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
            Self::LargeOffsets(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
            Self::Views(offsets, sizes) => {
                let start = offsets[row] as usize;
                start..start + sizes[row] as usize
            }
            Self::LargeViews(offsets, sizes) => {
                let start = offsets[row] as usize;
                start..start + sizes[row] as usize
            }
            Self::Fixed(lists) => {
                let start = lists.value_offset_at(row);
                start..start + lists.value_length() as usize
            }
        }
    }
}

impl<'a> Nested<'a> {
    /// Looks at a column; `None` where its type is not nested.
    pub fn new(array: &'a dyn Array) -> Result<Option<Self>, Unreadable> {
        let list = |spans, items: &'a dyn Array| {
            Ok::<_, Unreadable>(Layout::List { spans, items: ArrowColumn::new(items)? })
        };
        let layout = match array.data_type() {
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                list(Spans::Offsets(lists.value_offsets()), lists.values().as_ref())?
            }
            DataType::LargeList(_) => {
                let lists = array.as_list::<i64>();
                list(Spans::LargeOffsets(lists.value_offsets()), lists.values().as_ref())?
            }
            DataType::ListView(_) => {
                let lists = array.as_list_view::<i32>();
                list(
                    Spans::Views(lists.value_offsets(), lists.value_sizes()),
                    lists.values().as_ref(),
                )?
            }
            DataType::LargeListView(_) => {
                let lists = array.as_list_view::<i64>();
                list(
                    Spans::LargeViews(lists.value_offsets(), lists.value_sizes()),
                    lists.values().as_ref(),
                )?
            }
            DataType::FixedSizeList(..) => {
                let lists = array.as_fixed_size_list();
                list(Spans::Fixed(lists), lists.values().as_ref())?
            }
            DataType::Struct(fields) => {
                let columns = fields.iter().zip(array.as_struct().columns());
                let columns = columns.map(|(field, column)| {
                    Ok((KnownKey::new(field.name()), ArrowColumn::new(column.as_ref())?))
                });
                Layout::Struct(columns.collect::<Result<_, Unreadable>>()?)
            }
            DataType::Map(..) => {
                let maps = array.as_map();
                Layout::Map {
                    spans: Spans::Offsets(maps.value_offsets()),
                    keys: ArrowColumn::new(maps.keys().as_ref())?,
                    values: ArrowColumn::new(maps.values().as_ref())?,
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { layout, levels: 0, work: RefCell::default() }))
    }

    /// The same column, whose values stand in so many objects of an attribute.
    pub fn under(self, levels: usize) -> Self {
        Self { levels, ..self }
    }

    /// The value of a row that is not null, written to `scratch`.
    pub fn cell<'c>(&self, row: usize, scratch: &'c mut String) -> Cell<'c> {
        let mut work = self.work.borrow_mut();
        let Work { buffers, scratch: inner } = &mut *work;
        let mut out = std::mem::take(scratch).into_bytes();
        let mut sink = Sink::new(&mut out, buffers, self.levels);
        self.tell(row, &mut sink, inner);
        let flaws = match sink.finish() {
            Ok(flaws) => flaws,
            Err(code) => {
                out.clear();
                *scratch = String::from_utf8(out).unwrap_or_default();
                return Cell::Bad(code);
            }
        };
        match String::from_utf8(out) {
            Ok(json) => {
                *scratch = json;
                Cell::Json { json: scratch, flaws }
            }
            // Texts and digits are UTF-8, so their JSON is.
            Err(_) => Cell::Bad(Code::InvalidUtf8),
        }
    }

    /// Tells the value of a row that is not null.
    pub fn tell(&self, row: usize, sink: &mut Sink<'_>, scratch: &mut String) {
        match &self.layout {
            Layout::List { spans, items } => {
                sink.begin_list();
                for item in spans.of(row) {
                    if sink.is_refused() {
                        break;
                    }
                    items.tell(item, sink, scratch);
                }
                sink.end_list();
            }
            Layout::Struct(fields) => {
                sink.begin_object();
                for (key, column) in fields {
                    sink.known_key(key);
                    column.tell(row, sink, scratch);
                }
                sink.end_object();
            }
            Layout::Map { spans, keys, values } => {
                sink.begin_object();
                for entry in spans.of(row) {
                    if sink.is_refused() {
                        break;
                    }
                    match keys.cell(entry, scratch) {
                        Cell::Absent => sink.refuse(Code::ObjectKeyMissing),
                        Cell::Bad(code) => sink.refuse(code),
                        Cell::Bool(value) => sink.key(if value { "true" } else { "false" }),
                        Cell::DateTime { text, cut } => {
                            if cut {
                                sink.note(Code::DatetimePrecision);
                            }
                            sink.key(text);
                        }
                        Cell::Text(text)
                        | Cell::Number { digits: text, .. }
                        | Cell::Json { json: text, .. } => sink.key(text),
                    }
                    values.tell(entry, sink, scratch);
                }
                sink.end_object();
            }
        }
    }
}
