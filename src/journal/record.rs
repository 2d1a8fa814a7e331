//! One record of the checkpoint: a checksum and compact JSON on a line.
//!
//! The remote definitions give the model's types their stable names on disk; the
//! compiler refuses them where a field is added to the model and forgotten here.

use std::{borrow::Cow, ops::Range};

use serde::{Deserialize, Serialize};

use super::{Binding, Progress};
use crate::model::{Intent, Place, Position, RequestCounts, RowFailure, Settled, Settlement, Turn};

/// The format that this program writes, and the newest that it reads.
pub(super) const FORMAT_VERSION: u64 = 1;

/// The first record.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header<'a> {
    #[serde(rename = "moebulk_checkpoint")]
    pub version: u64,
    /// UNIX seconds.
    pub created: u64,
    pub binding: Cow<'a, Binding>,
}

/// The one part of the first record that every version has.
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    #[serde(rename = "moebulk_checkpoint")]
    pub version: u64,
}

/// Every record after the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record<'a> {
    Plan(Cow<'a, Plan>),
    Turn(TurnEntry),
    Mark(Cow<'a, Progress>),
    Finished { exit_code: i32 },
}

/// What the check before sending counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Data rows read.
    pub rows_read: u64,
    /// Rows that passed every check.
    pub rows_accepted: u64,
    /// Rows that did not.
    pub rows_rejected: u64,
    /// Rows left out because nothing changed in them.
    pub rows_skipped: u64,
    /// User elements.
    pub users: u64,
    /// Event actions.
    pub events: u64,
    /// Device elements.
    pub devices: u64,
    /// Request bodies.
    pub bodies: u64,
    /// Bytes of all bodies.
    pub body_bytes: u64,
    /// Digest of the bodies, as the report states it.
    pub digest: String,
}

/// A turn, as stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TurnEntry {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settle: Vec<SettlementEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestsEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intend: Vec<IntentEntry>,
}

impl From<Turn> for TurnEntry {
    fn from(Turn { settlements, requests, intents }: Turn) -> Self {
        Self {
            settle: settlements.into_iter().map(SettlementEntry).collect(),
            requests: requests.map(RequestsEntry),
            intend: intents.into_iter().map(IntentEntry).collect(),
        }
    }
}

/// Request counts, as stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RequestsEntry(#[serde(with = "RequestCountsDef")] pub RequestCounts);

/// An intent, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IntentEntry(#[serde(with = "IntentDef")] pub Intent);

/// A settlement, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SettlementEntry(#[serde(with = "SettlementDef")] pub Settlement);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Intent")]
struct IntentDef {
    #[serde(rename = "body")]
    seq: u64,
    #[serde(with = "pair")]
    range: Range<u32>,
    #[serde(rename = "of")]
    elements: u32,
    #[serde(with = "PositionDef")]
    first: Position,
    #[serde(with = "PositionDef")]
    last: Position,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Settlement")]
struct SettlementDef {
    #[serde(rename = "body")]
    seq: u64,
    #[serde(with = "pair")]
    range: Range<u32>,
    #[serde(rename = "of")]
    elements: u32,
    #[serde(rename = "result", with = "SettledDef")]
    settled: Settled,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Settled", rename_all = "snake_case")]
enum SettledDef {
    Delivered {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    Failed(#[serde(with = "RowFailureDef")] RowFailure),
    NotTaken,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RowFailure")]
pub(super) struct RowFailureDef {
    #[serde(with = "PositionDef")]
    position: Position,
    status: u16,
    kind: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Position")]
struct PositionDef {
    file: u32,
    row: u64,
    #[serde(flatten, with = "PlaceDef")]
    place: Place,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Place")]
enum PlaceDef {
    #[serde(rename = "line")]
    Line(u64),
    #[serde(rename = "group")]
    RowGroup(u32),
    #[serde(rename = "batch")]
    Batch(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RequestCounts")]
pub(super) struct RequestCountsDef {
    sent: u64,
    retried: u64,
    isolated: u64,
    http_429: u64,
    http_5xx: u64,
}

/// A range as `[start, end]`.
mod pair {
    use std::ops::Range;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(range: &Range<u32>, to: S) -> Result<S::Ok, S::Error> {
        (range.start, range.end).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Range<u32>, D::Error> {
        <(u32, u32)>::deserialize(from).map(|(start, end)| start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed::{line_json, push_line};

    fn at(row: u64, place: Place) -> Position {
        Position { file: 2, row, place }
    }

    fn settlement(range: Range<u32>, settled: Settled) -> SettlementEntry {
        SettlementEntry(Settlement { seq: 7, range, elements: 430, settled })
    }

    /// The form on disk is a promise to later versions: these texts must not change.
    #[test]
    fn every_record_has_its_stable_text_and_reads_back() {
        let failure = RowFailure {
            position: at(5, Place::Line(6)),
            status: 400,
            kind: "TypeError".into(),
            message: "expected\nstring".into(),
            request_id: None,
        };
        let counts = RequestCounts { sent: 1, retried: 2, isolated: 3, http_429: 4, http_5xx: 5 };
        let intent = IntentEntry(Intent {
            seq: 7,
            range: 0..430,
            elements: 430,
            first: at(1, Place::Line(2)),
            last: at(430, Place::RowGroup(3)),
        });
        let records = [
            (
                Record::Turn(TurnEntry {
                    settle: vec![
                        settlement(0..1, Settled::Delivered { request_id: Some("r-1".into()) }),
                        settlement(1..2, Settled::Delivered { request_id: None }),
                        settlement(2..3, Settled::NotTaken),
                        settlement(3..4, Settled::Failed(failure.clone())),
                    ],
                    requests: Some(RequestsEntry(counts)),
                    intend: vec![intent.clone()],
                }),
                concat!(
                    r#"{"turn":{"settle":[{"body":7,"range":[0,1],"of":430,"result":{"delivered":{"request_id":"r-1"}}},"#,
                    r#"{"body":7,"range":[1,2],"of":430,"result":{"delivered":{}}},"#,
                    r#"{"body":7,"range":[2,3],"of":430,"result":"not_taken"},"#,
                    r#"{"body":7,"range":[3,4],"of":430,"result":{"failed":{"position":{"file":2,"row":5,"line":6},"status":400,"kind":"TypeError","message":"expected\nstring"}}}],"#,
                    r#""requests":{"sent":1,"retried":2,"isolated":3,"http_429":4,"http_5xx":5},"#,
                    r#""intend":[{"body":7,"range":[0,430],"of":430,"first":{"file":2,"row":1,"line":2},"last":{"file":2,"row":430,"group":3}}]}}"#,
                ),
            ),
            (
                Record::Turn(TurnEntry { settle: vec![], requests: None, intend: vec![intent] }),
                r#"{"turn":{"intend":[{"body":7,"range":[0,430],"of":430,"first":{"file":2,"row":1,"line":2},"last":{"file":2,"row":430,"group":3}}]}}"#,
            ),
            (
                Record::Plan(Cow::Owned(Plan {
                    rows_read: 3,
                    rows_accepted: 2,
                    rows_rejected: 1,
                    users: 2,
                    bodies: 1,
                    body_bytes: 99,
                    digest: "d".into(),
                    ..Plan::default()
                })),
                r#"{"plan":{"rows_read":3,"rows_accepted":2,"rows_rejected":1,"rows_skipped":0,"users":2,"events":0,"devices":0,"bodies":1,"body_bytes":99,"digest":"d"}}"#,
            ),
            (
                Record::Mark(Cow::Owned({
                    let mut progress = Progress::default();
                    progress.settle(settlement(4..9, Settled::Delivered { request_id: None }).0);
                    progress.settle(settlement(9..10, Settled::Failed(failure)).0);
                    progress
                })),
                concat!(
                    r#"{"mark":{"mark":0,"delivered":5,"failed":[{"body":7,"element":9,"failure":{"position":{"file":2,"row":5,"line":6},"status":400,"kind":"TypeError","message":"expected\nstring"}}],"#,
                    r#""requests":{"sent":0,"retried":0,"isolated":0,"http_429":0,"http_5xx":0},"bodies":{"7":{"of":430,"settled":[[4,10]],"in_doubt":[]}}}}"#,
                ),
            ),
            (Record::Finished { exit_code: 1 }, r#"{"finished":{"exit_code":1}}"#),
        ];
        for (record, text) in records {
            let mut line = Vec::new();
            push_line(&mut line, &record).unwrap();
            let json = line_json(&line).expect("a whole line");
            assert_eq!(std::str::from_utf8(json).unwrap(), text);
            let back: Record<'_> = serde_json::from_slice(json).unwrap();
            assert_eq!(format!("{back:?}"), format!("{record:?}"));
        }
    }
}
