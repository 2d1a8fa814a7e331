//! What became of the rows, as one picture: bars as high as their share, joined by ribbons.

use std::io;

use plotters::{prelude::*, style::text_anchor::HPos};

use super::svg::{Area, Chart, Class, Drawn, Words, draw};
use crate::model::{RowCounts, Summary};
use crate::report::text::thousands;

/// Points of the drawing in a pixel of the page: plotters knows whole ones alone, and a ribbon's edge
/// would be a stair.
const SCALE: i32 = 4;

/// The height of all rows.
const ROWS_HEIGHT: f64 = 150.0 * SCALE as f64;

/// Above a bar, for its number and its name.
const LABEL_HEIGHT: i32 = 42 * SCALE;

/// Between a bar and the next one's label.
const GAP: i32 = 10 * SCALE;

const BAR_WIDTH: i32 = 12 * SCALE;

/// Points of a ribbon's edge.
const STEPS: i32 = 28;

/// One bar.
struct Node {
    name: &'static str,
    rows: u64,
    bar: Class,
    ribbon: Class,
    /// Its top and its bottom.
    y: (i32, i32),
}

impl Node {
    fn new(name: &'static str, rows: u64, bar: Class, ribbon: Class) -> Self {
        Self { name, rows, bar, ribbon, y: (0, 0) }
    }
}

/// The picture, for both widths.
pub(super) fn flow(summary: &Summary, description: &str) -> io::Result<Chart> {
    let title = "What became of the rows";
    let paint = |id, width| {
        let stages = stages(summary);
        let height = stages.iter().flatten().map(|node| node.y.1).max().unwrap_or(0) + SCALE;
        let words = Words { id, title, description };
        draw(&words, (width as u32, height as u32), |area| paint(area, &stages, width))
    };
    Ok(Chart { wide: paint("flow-wide", 940 * SCALE)?, narrow: paint("flow-narrow", 330 * SCALE)? })
}

/// Read; accepted, rejected, skipped; and what became of the accepted ones.
fn stages(summary: &Summary) -> [Vec<Node>; 3] {
    use Class::*;
    let RowCounts { read, accepted, rejected, skipped, delivered, failed, pending } = summary.rows;
    let read_node = Node::new("read", read, Accent, AccentFlow);
    let mut checked = vec![
        Node::new("accepted", accepted, Good, GoodFlow),
        Node::new("rejected", rejected, Bad, BadFlow),
    ];
    if skipped > 0 {
        checked.push(Node::new("skipped", skipped, Rest, RestFlow));
    }
    let sent = if summary.command == "import" {
        let mut sent = vec![Node::new("delivered", delivered, Good, GoodFlow)];
        if pending > 0 {
            sent.push(Node::new("pending", pending, Rest, RestFlow));
        }
        let left_out = summary.left_in_doubt();
        if left_out > 0 {
            sent.push(Node::new("in doubt", left_out, Bad, BadFlow));
        }
        sent.push(Node::new("refused", failed.saturating_sub(left_out), Bad, BadFlow));
        sent
    } else {
        vec![Node::new("ready to send", pending, Good, GoodFlow)]
    };
    let mut stages = [vec![read_node], checked, sent];
    for stage in &mut stages {
        let mut y = 0;
        for node in stage {
            let top = y + LABEL_HEIGHT;
            let bottom = top + height(node.rows, read);
            node.y = (top, bottom);
            y = bottom + GAP;
        }
    }
    stages
}

/// How high so many of all rows are; few are seen too.
fn height(rows: u64, all: u64) -> i32 {
    match rows {
        0 => SCALE,
        rows => ((rows as f64 / all.max(1) as f64 * ROWS_HEIGHT).round() as i32).max(3 * SCALE),
    }
}

fn paint(area: &Area<'_>, stages: &[Vec<Node>; 3], width: i32) -> Drawn {
    // Numbers of nine digits stand beside each other on a phone.
    let middle = if width > 400 * SCALE { width * 46 / 100 } else { width * 34 / 100 };
    let lefts = [0, middle, width - BAR_WIDTH];
    let [read, checked, sent] = stages;
    ribbons(area, &read[0], checked, (lefts[0] + BAR_WIDTH, lefts[1]))?;
    ribbons(area, &checked[0], sent, (lefts[1] + BAR_WIDTH, lefts[2]))?;
    for (stage, left) in stages.iter().zip(lefts) {
        for node in stage {
            let class = if node.rows > 0 { node.bar } else { Class::Grid };
            let bar = [(left, node.y.0), (left + BAR_WIDTH, node.y.1)];
            area.draw(&Rectangle::new(bar, class.fill()))?;
            let (x, anchor) = match left == lefts[2] {
                true => (width, HPos::Right),
                false => (left, HPos::Left),
            };
            let (count, ink) = (thousands(node.rows), Class::Ink.text(anchor));
            area.draw(&Text::new(count, (x, node.y.0 - 29 * SCALE), ink))?;
            let (place, muted) = ((x, node.y.0 - 11 * SCALE), Class::Muted.text(anchor));
            area.draw(&Text::new(node.name, place, muted))?;
        }
    }
    Ok(())
}

/// Ribbons from a bar to those that its rows went to.
fn ribbons(area: &Area<'_>, from: &Node, to: &[Node], (left, right): (i32, i32)) -> Drawn {
    let all = to.iter().map(|node| node.rows).sum::<u64>().max(1) as f64;
    let (top, bottom) = from.y;
    let mut before = 0;
    for node in to.iter().filter(|node| node.rows > 0) {
        let edge = |rows: u64| f64::from(top) + f64::from(bottom - top) * rows as f64 / all;
        let (start, end) = (edge(before), edge(before + node.rows));
        before += node.rows;
        let at = |step: i32, from: f64, to: i32| {
            let share = f64::from(step) / f64::from(STEPS);
            let eased = share * share * (3.0 - 2.0 * share);
            let x = f64::from(left) + f64::from(right - left) * share;
            (x.round() as i32, (from + (f64::from(to) - from) * eased).round() as i32)
        };
        let upper = (0..=STEPS).map(|step| at(step, start, node.y.0));
        let lower = (0..=STEPS).rev().map(|step| at(step, end, node.y.1));
        let points: Vec<_> = upper.chain(lower).collect();
        area.draw(&Polygon::new(points, node.ribbon.fill()))?;
    }
    Ok(())
}
