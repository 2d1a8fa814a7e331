//! Bodies of the simulation: each element tells the model server what it is.

use fastrand::Rng;

use crate::model::{Body, Part, Place, Position};
use crate::send::Work;
use crate::wire::envelope::{PREFIX, SUFFIX};

/// One element: users, events and the user's key.
pub(super) type Item = (u32, u32, Option<u64>);

/// An element as the model server reads it: body, index, users, events, key or 0.
pub(super) type Element = [u64; 5];

pub(super) fn body(seq: u64, items: &[Item]) -> Body {
    let (mut bytes, mut parts) = (PREFIX.to_vec(), Vec::new());
    for (index, &(users, events, key)) in items.iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        let json = format!("[{seq},{index},{users},{events},{}]", key.unwrap_or(0));
        let (start, len) = (bytes.len() as u32, json.len() as u32);
        bytes.extend_from_slice(json.as_bytes());
        let row = seq * 1000 + index as u64 + 1;
        let position = Position { file: 0, row, place: Place::Line(row + 1) };
        parts.push(Part { head_start: 0, head_len: 0, start, len, users, events, key, position });
    }
    bytes.extend_from_slice(SUFFIX);
    let (users, events) = items.iter().fold((0, 0), |(users, events), item| {
        (users + u64::from(item.0), events + u64::from(item.1))
    });
    Body { seq, bytes: bytes.into(), parts, users, events }
}

pub(super) fn elements(bytes: &[u8]) -> Vec<Element> {
    serde_json::from_slice(&bytes[PREFIX.len() - 1..bytes.len() - 1]).unwrap()
}

/// A whole body that nothing was sent of.
pub(super) fn whole(body: Body) -> Work {
    Work { pending: vec![body.whole()], body, in_doubt: Vec::new() }
}

/// Bodies as the packer cuts them at the default limits: three make a window.
pub(super) fn packed(count: u64) -> Vec<Body> {
    let sizes = [(215, 2150), (215, 2150), (70, 700)];
    let items = |seq: u64| {
        let (users, events) = sizes[seq as usize % 3];
        [(users, events, None); 2]
    };
    (0..count).map(|seq| body(seq, &items(seq))).collect()
}

/// Bodies of a few elements, none above the rates; a few users come again and again.
pub(super) fn random(rng: &mut Rng, count: u64, rates: [u64; 2]) -> Vec<Body> {
    const ELEMENTS_MAX: usize = 6;
    let users = rng.u64(2..=60);
    let most = rates.map(|rate| (rate as usize / ELEMENTS_MAX) as u32);
    let kind = rng.u32(0..3);
    let item = |rng: &mut Rng| match kind {
        0 => (rng.u32(1..=most[0]), 0, Some(rng.u64(1..=users))),
        1 => (0, rng.u32(1..=most[1]), None),
        _ => (rng.u32(0..=most[0]), rng.u32(1..=most[1]), Some(rng.u64(1..=users))),
    };
    let mut bodies = vec![];
    for seq in 0..count {
        let items: Vec<Item> = (0..rng.usize(1..=ELEMENTS_MAX)).map(|_| item(rng)).collect();
        bodies.push(body(seq, &items));
    }
    bodies
}
