//! Rows as Arrow columns, typed: what is wrong for its type is null, and so is an empty text.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, RecordBatch,
        StringBuilder, TimestampMicrosecondBuilder,
    },
    error::ArrowError,
};

use crate::rows::{COLUMNS, Cell, Decimal, Row, Time};

/// The rows of a batch.
pub struct Columns {
    customer_id: StringBuilder,
    first_name: StringBuilder,
    last_name: StringBuilder,
    email: StringBuilder,
    mobile: StringBuilder,
    plan: StringBuilder,
    renews_at: TimestampMicrosecondBuilder,
    vip: BooleanBuilder,
    lifetime_value: Float64Builder,
    orders: Int32Builder,
    city: StringBuilder,
    last_note: StringBuilder,
    utm_source: StringBuilder,
    opt_in: BooleanBuilder,
    score: Float64Builder,
    last_seen: TimestampMicrosecondBuilder,
    device_hash: Int64Builder,
    segment: StringBuilder,
}

impl Default for Columns {
    fn default() -> Self {
        let times = || TimestampMicrosecondBuilder::new().with_timezone("UTC");
        Self {
            customer_id: StringBuilder::new(),
            first_name: StringBuilder::new(),
            last_name: StringBuilder::new(),
            email: StringBuilder::new(),
            mobile: StringBuilder::new(),
            plan: StringBuilder::new(),
            renews_at: times(),
            vip: BooleanBuilder::new(),
            lifetime_value: Float64Builder::new(),
            orders: Int32Builder::new(),
            city: StringBuilder::new(),
            last_note: StringBuilder::new(),
            utm_source: StringBuilder::new(),
            opt_in: BooleanBuilder::new(),
            score: Float64Builder::new(),
            last_seen: times(),
            device_hash: Int64Builder::new(),
            segment: StringBuilder::new(),
        }
    }
}

impl Columns {
    /// Adds a row.
    pub fn push(&mut self, row: &Row) {
        let text = |text| Some(text).filter(|text: &&str| !text.is_empty());
        self.customer_id.append_option(text(&row.customer_id));
        self.first_name.append_option(text(row.first_name));
        self.last_name.append_option(text(row.last_name));
        self.email.append_option(text(&row.email));
        self.mobile.append_option(text(&row.mobile));
        self.plan.append_option(text(row.plan));
        self.renews_at.append_option(row.renews_at.value().map(Time::micros));
        self.vip.append_option(row.vip.value());
        self.lifetime_value.append_option(row.lifetime_value.value().map(Decimal::value));
        self.orders.append_option(row.orders.value());
        self.city.append_option(text(row.city));
        self.last_note.append_option(text(row.last_note));
        self.utm_source.append_option(text(row.utm_source));
        self.opt_in.append_value(row.opt_in);
        self.score.append_value(row.score.value());
        self.last_seen.append_option(Cell::Value(row.last_seen).value().map(Time::micros));
        self.device_hash.append_value(row.device_hash);
        self.segment.append_option(text(&row.segment));
    }

    /// The rows as a batch; the columns are empty then.
    pub fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns: [ArrayRef; 18] = [
            Arc::new(self.customer_id.finish()),
            Arc::new(self.first_name.finish()),
            Arc::new(self.last_name.finish()),
            Arc::new(self.email.finish()),
            Arc::new(self.mobile.finish()),
            Arc::new(self.plan.finish()),
            Arc::new(self.renews_at.finish()),
            Arc::new(self.vip.finish()),
            Arc::new(self.lifetime_value.finish()),
            Arc::new(self.orders.finish()),
            Arc::new(self.city.finish()),
            Arc::new(self.last_note.finish()),
            Arc::new(self.utm_source.finish()),
            Arc::new(self.opt_in.finish()),
            Arc::new(self.score.finish()),
            Arc::new(self.last_seen.finish()),
            Arc::new(self.device_hash.finish()),
            Arc::new(self.segment.finish()),
        ];
        let named = COLUMNS.into_iter().zip(columns).map(|(name, array)| (name, array, true));
        RecordBatch::try_from_iter_with_nullable(named)
    }
}
