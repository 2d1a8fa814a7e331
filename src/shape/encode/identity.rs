//! Who a row is about: the customer_id, other identifiers, the device.

use super::{Encoder, Layout, Row, Span, bool_text};
use crate::model::Code;
use crate::shape::{
    cell::Cell,
    cells::{Cells, RowCells},
    json,
};
use crate::wire::ids::{self, IdVerdict};

impl Encoder<'_> {
    /// Writes `,"customer_id":"…"` where the row has one; a row must have it or another
    /// identifier. Gives the hash of whichever names the user.
    pub(super) fn identity<C: Cells>(
        &mut self,
        layout: &Layout,
        row: &Row<'_, C>,
        scratch: &mut String,
    ) -> Option<u64> {
        if let Some(at) = layout.plain_id
            && let Some(cell) = row.cells.row(row.at).span(at)
            && let Some(hash) = self.plain_id(cell)
        {
            return Some(hash);
        }
        self.settle();
        if let Some(at) = layout.id
            && (layout.identifiers.is_empty() || row.value(at, scratch) != Cell::Absent)
        {
            return self.customer_id(at, row.value(at, scratch));
        }
        // Data API, U: with identity resolution another identifier stands for the customer_id.
        for &at in &layout.identifiers {
            match row.value(at, scratch) {
                Cell::Absent => {}
                Cell::Text(text) if ids::is_blank(text) => {
                    self.blank(Code::IdMissing, at);
                    return None;
                }
                cell => return Some(self.named(super::cell_text(cell).as_bytes())),
            }
        }
        self.problem(
            Code::IdMissing,
            layout.id.or(layout.identifiers.first().copied()),
            String::new,
        );
        None
    }

    /// Writes a customer_id that is sent as it stands, and gives its hash; `None` where it takes
    /// more than a look.
    fn plain_id(&mut self, cell: Span<'_>) -> Option<u64> {
        let id = cell.value();
        if !ids::is_plainly_allowed(id) {
            return None;
        }
        let is_written = self.stage.push_text(br#","customer_id":"#, cell, &mut self.json);
        is_written.then(|| self.named(id))
    }

    fn customer_id(&mut self, at: usize, cell: Cell<'_>) -> Option<u64> {
        let id = match cell {
            Cell::Absent => "",
            Cell::Text(text) => text,
            Cell::Number { digits, .. } => digits,
            Cell::Bool(value) => bool_text(value),
            Cell::DateTime { text, .. } | Cell::Json { json: text, .. } => text,
            Cell::Bad(code) => {
                self.problem(code, Some(at), String::new);
                return None;
            }
        };
        let code = match ids::judge(id) {
            IdVerdict::Allowed => None,
            IdVerdict::Lookalike => Some(Code::IdLookalike),
            IdVerdict::Float => Some(Code::IdAsFloat),
            IdVerdict::Missing => Some(Code::IdMissing),
            IdVerdict::TooShort => Some(Code::IdTooShort),
            IdVerdict::Disallowed => Some(Code::IdDisallowed),
        };
        if let Some(code) = code {
            self.value_problem(code, at, id, "");
        }
        self.json.extend_from_slice(br#","customer_id":"#);
        json::write_string(&mut self.json, id);
        Some(self.named(id.as_bytes()))
    }

    /// Writes `,"user_identifiers":{…}` of an event, where the plan has any and the row too.
    pub(super) fn user_identifiers<C: Cells>(
        &mut self,
        layout: &Layout,
        row: &Row<'_, C>,
        scratch: &mut String,
    ) {
        const KEY: &[u8] = br#","user_identifiers":{"#;
        let before = self.json.len();
        for &at in &layout.identifiers {
            let comma = self.json.len();
            self.field(at, row.value(at, scratch), Self::text_field);
            if comma == before && self.json.len() > comma {
                // The first one stands behind the key instead of a comma.
                self.json.splice(comma..=comma, KEY.iter().copied());
            }
        }
        if self.json.len() > before {
            self.json.push(b'}');
        }
    }

    /// Writes `,"device_id":"…"` of a device; gives its hash.
    pub(super) fn device<C: Cells>(
        &mut self,
        layout: &Layout,
        row: &Row<'_, C>,
        scratch: &mut String,
    ) -> Option<u64> {
        let at = layout.device?;
        let cell = row.value(at, scratch);
        if cell == Cell::Absent {
            self.problem(Code::DeviceIdMissing, Some(at), String::new);
            return None;
        }
        if matches!(cell, Cell::Text(text) if ids::is_blank(text)) {
            self.blank(Code::DeviceIdMissing, at);
            return None;
        }
        let key = self.named(super::cell_text(cell).as_bytes());
        self.field(at, cell, Self::text_field);
        Some(key)
    }
}
