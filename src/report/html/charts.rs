//! The charts of counts: by column, along the rows, by how full bodies are, over time.

use std::io;

use plotters::{prelude::*, style::text_anchor::HPos};

use super::svg::{Chart, Class, Words, decoration, draw};
use crate::model::{ColumnProfile, Histogram, InputSummary, MarkKind, Throughput};
use crate::report::text::thousands;

/// Milliseconds of the window that the budget counts in.
const WINDOW_MS: u64 = 60_000;

/// Widths of charts across the page, and of those beside another.
const WIDE: u32 = 940;
const NARROW: u32 = 330;
const HALF: u32 = 430;

/// Problems of one column.
pub(super) struct ByColumn {
    /// The column's name, short.
    pub name: String,
    pub rejects: u64,
    pub warnings: u64,
}

/// Problems by column, as bars.
pub(super) fn by_column(columns: &[ByColumn], description: &str) -> io::Result<Chart> {
    let title = "Problems by column";
    let paint = |id, width| bars(&Words { id, title, description }, columns, width);
    Ok(Chart { wide: paint("columns-wide", HALF)?, narrow: paint("columns-narrow", NARROW)? })
}

fn bars(words: &Words<'_>, columns: &[ByColumn], width: u32) -> io::Result<String> {
    const LINE: i32 = 30;
    const LEFT: i32 = 140;
    let most = columns.iter().map(|column| column.rejects + column.warnings).max().unwrap_or(0);
    // Room for the count behind the longest bar.
    let room = width as i32 - LEFT - 12 - 8 * thousands(most).len() as i32;
    let length = |count: u64| match count {
        0 => 0,
        count => ((count as f64 / most.max(1) as f64 * f64::from(room)).round() as i32).max(2),
    };
    draw(words, (width, (columns.len() as i32 * LINE) as u32), |area| {
        for (at, column) in columns.iter().enumerate() {
            let middle = at as i32 * LINE + LINE / 2;
            let (top, bottom) = (middle - 8, middle + 8);
            let label = Class::Ink.text(HPos::Right);
            area.draw(&Text::new(column.name.as_str(), (LEFT - 10, middle), label))?;
            let split = LEFT + length(column.rejects);
            let end = split + length(column.warnings);
            area.draw(&Rectangle::new([(LEFT, top), (split, bottom)], Class::Bad.fill()))?;
            area.draw(&Rectangle::new([(split, top), (end, bottom)], Class::Warn.fill()))?;
            let count = thousands(column.rejects + column.warnings);
            area.draw(&Text::new(count, (end + 8, middle), Class::Muted.text(HPos::Left)))?;
        }
        Ok(())
    })
}

/// Rejected rows along the import, with where the next file begins.
pub(super) fn along(
    rejected: &Histogram,
    inputs: &[InputSummary],
    description: &str,
) -> io::Result<Chart> {
    let rows: u64 = inputs.iter().map(|input| input.rows).sum();
    let most = rejected.counts.iter().copied().max().unwrap_or(0).max(1);
    let paint = |id, width| {
        let words = Words { id, title: "Rejected rows along the import", description };
        draw(&words, (width, 190), |area| {
            let mut chart = ChartBuilder::on(area)
                .margin_top(12)
                // Half of the last number, which stands below the end.
                .margin_right((4 * thousands(rows).len() as u32).max(14))
                .x_label_area_size(26)
                .y_label_area_size(digits_width(most))
                .build_cartesian_2d(0..rows.max(1), 0..most + most.div_ceil(10))?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(Class::Grid.line(1))
                .axis_style(Class::Grid.line(1))
                .x_labels(if width > NARROW { 8 } else { 3 })
                .y_labels(4)
                .x_label_formatter(&|row| thousands(*row))
                .y_label_formatter(&|count| thousands(*count))
                .label_style(Class::Muted.text(HPos::Left))
                .draw()?;
            let mut start = 0;
            for input in inputs.iter().take(inputs.len().saturating_sub(1)).take(200) {
                start += input.rows;
                let line = [(start, 0), (start, most + most.div_ceil(10))];
                chart.draw_series([PathElement::new(line, Class::Muted.line(1))])?;
            }
            let counts = rejected.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
            chart.draw_series(counts.map(|(at, &count)| {
                let from = at as u64 * rejected.width;
                let to = (from + rejected.width).min(rows.max(1));
                Rectangle::new([(from, 0), (to, count)], Class::Bad.fill())
            }))?;
            Ok(())
        })
    };
    Ok(Chart { wide: paint("along-wide", WIDE)?, narrow: paint("along-narrow", NARROW)? })
}

/// Bodies by the tenth of the limit that they fill.
pub(super) fn fill(fill: &[u64; 10], description: &str) -> io::Result<Chart> {
    let title = "How full the request bodies are";
    let paint = |id, width| tenths(&Words { id, title, description }, fill, width);
    Ok(Chart { wide: paint("fill-wide", HALF)?, narrow: paint("fill-narrow", NARROW)? })
}

fn tenths(words: &Words<'_>, fill: &[u64; 10], width: u32) -> io::Result<String> {
    const HEIGHT: i32 = 200;
    const BASE: i32 = HEIGHT - 30;
    let most = fill.iter().copied().max().unwrap_or(0).max(1);
    draw(words, (width, HEIGHT as u32), |area| {
        // Room for the last number, which stands below the last bar's end.
        let step = (width as i32 - 20) / 10;
        let zero = Text::new("0 %", (2, BASE + 16), Class::Muted.text(HPos::Left));
        area.draw(&zero)?;
        for (at, &count) in fill.iter().enumerate() {
            let left = at as i32 * step;
            let height = match count {
                0 => 1,
                count => ((count as f64 / most as f64 * 132.0).round() as i32).max(3),
            };
            let class = if count > 0 { Class::Accent } else { Class::Grid };
            let bar = [(left + 4, BASE - height), (left + step - 4, BASE)];
            area.draw(&Rectangle::new(bar, class.fill()))?;
            let middle = left + step / 2;
            if count > 0 {
                let text = Text::new(
                    thousands(count),
                    (middle, BASE - height - 12),
                    Class::Muted.text(HPos::Center),
                );
                area.draw(&text)?;
            }
            // What a bar ends with stands below its end.
            if at % 2 == 1 {
                let text = format!("{} %", (at + 1) * 10);
                let end = (left + step, BASE + 16);
                area.draw(&Text::new(text, end, Class::Muted.text(HPos::Center)))?;
            }
        }
        Ok(())
    })
}

/// What one column holds: filled as far as its cells are, in the colours of their types.
pub(super) fn mix(column: &ColumnProfile) -> io::Result<String> {
    const WIDTH: u32 = 240;
    decoration((WIDTH, 12), |area| {
        area.draw(&Rectangle::new([(0, 0), (WIDTH as i32, 12)], Class::Track.fill()))?;
        let mut before = 0.0;
        for (share, class) in [
            (column.text, Class::Text),
            (column.number, Class::Number),
            (column.datetime, Class::Datetime),
            (column.bool, Class::Bool),
            (column.nested, Class::Nested),
        ] {
            let at = |share: f64| (share * column.filled * f64::from(WIDTH)).round() as i32;
            let (left, right) = (at(before), at(before + share));
            before += share;
            if right > left {
                area.draw(&Rectangle::new([(left, 0), (right, 12)], class.fill()))?;
            }
        }
        Ok(())
    })
}

/// Rows delivered in the minute before each bucket's end, by the end in milliseconds: of the last one
/// the end of sending.
pub(super) fn per_minute(found: &Throughput) -> Vec<(u64, u64)> {
    let Histogram { width, counts } = &found.delivered;
    let buckets = (WINDOW_MS / width).max(1) as usize;
    let ends = (1..=counts.len()).map(|end| {
        let rows: u64 = counts[end.saturating_sub(buckets)..end].iter().sum();
        // Buckets longer than a minute hold several of them.
        let minutes = width.div_ceil(WINDOW_MS).max(1);
        ((end as u64 * width).min(found.sending_ms), rows / minutes)
    });
    ends.collect()
}

/// Rows a minute against the budget, with refusals for the rate and pauses.
pub(super) fn throughput(found: &Throughput, description: &str) -> io::Result<Chart> {
    let points = per_minute(found);
    let end_ms = found.sending_ms.max(1);
    let most = points.iter().map(|&(_, rows)| rows).chain(found.per_minute).max().unwrap_or(0);
    let top = most.max(1) + most.div_ceil(6).max(1);
    // Axes have round numbers: of seconds, minutes or hours.
    let unit_ms = match end_ms {
        0..90_000 => 1e3,
        90_000..7_200_000 => 6e4,
        _ => 3.6e6,
    };
    let time = |ms: u64| ms.min(end_ms) as f64 / unit_ms;
    let end = time(end_ms);
    let paint = |id, width| {
        let words = Words { id, title: "Rows delivered a minute, against the budget", description };
        draw(&words, (width, 240), |area| {
            let mut chart = ChartBuilder::on(area)
                .margin_top(16)
                .margin_right(18)
                .x_label_area_size(26)
                .y_label_area_size(digits_width(most))
                .build_cartesian_2d(0.0..end, 0..top)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(Class::Grid.line(1))
                .axis_style(Class::Grid.line(1))
                .x_labels(if width > NARROW { 8 } else { 3 })
                .y_labels(4)
                .x_label_formatter(&|time| moment((*time * unit_ms).round() as u64))
                .y_label_formatter(&|rows| thousands(*rows))
                .label_style(Class::Muted.text(HPos::Left))
                .draw()?;
            let pauses = found.marks.iter().filter(|mark| mark.pause_ms > 0);
            chart.draw_series(pauses.map(|mark| {
                let to = time(mark.at_ms.saturating_add(mark.pause_ms));
                Rectangle::new([(time(mark.at_ms), 0), (to, top)], Class::Pause.fill())
            }))?;
            let from = (0..).step_by(found.delivered.width as usize);
            let steps = points
                .iter()
                .zip(from)
                .flat_map(|(&(to, rows), from)| [(time(from), rows), (time(to), rows)]);
            let area = AreaSeries::new(steps, 0, Class::AccentFlow.color());
            chart.draw_series(area.border_style(Class::Accent.line(2)))?;
            if let Some(budget) = found.per_minute {
                let line = [(0.0, budget), (end, budget)];
                chart.draw_series([PathElement::new(line, Class::Budget.line(2))])?;
            }
            let refused = found.marks.iter().filter(|mark| mark.kind == MarkKind::Http429);
            chart.draw_series(refused.flat_map(|mark| {
                let at = time(mark.at_ms);
                let line = PathElement::new([(at, 0), (at, top)], Class::Bad.line(1));
                let head = TriangleMarker::new((at, top), 6, Class::Bad.fill());
                [line.into_dyn(), head.into_dyn()]
            }))?;
            Ok(())
        })
    };
    Ok(Chart { wide: paint("pace-wide", WIDE)?, narrow: paint("pace-narrow", NARROW)? })
}

/// Pixels that an axis needs for numbers up to this one.
fn digits_width(most: u64) -> u32 {
    12 + 8 * thousands(most.saturating_mul(12) / 10).len() as u32
}

/// A time from the start: minutes and seconds, or hours and minutes.
pub(super) fn moment(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..3_600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{} h {:02}", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_looked_back_on_or_shared_among() {
        let found = |sending_ms, width, counts| Throughput {
            sending_ms,
            delivered: Histogram { width, counts },
            per_minute: None,
            marks: Vec::new(),
            marks_left_out: 0,
        };
        let short = found(75_000, 30_000, vec![5, 7, 1]);
        assert_eq!(per_minute(&short), [(30_000, 5), (60_000, 12), (75_000, 8)]);
        let long = found(240_000, 120_000, vec![10, 6]);
        assert_eq!(per_minute(&long), [(120_000, 5), (240_000, 3)]);
    }
}
