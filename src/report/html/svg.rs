//! Drawings as inline SVG that follows the page's colours: plotters draws in colours that stand for
//! classes, and those take their place.

use std::{fmt::Write, io};

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// Where a chart is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What plotters says of a drawing.
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// What a shape or a text is; the page's style says how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    Ink = 1,
    Muted,
    Grid,
    Track,
    Good,
    Bad,
    Warn,
    Rest,
    Accent,
    GoodFlow,
    BadFlow,
    RestFlow,
    AccentFlow,
    Pause,
    Budget,
    Bool,
    Number,
    Datetime,
    Text,
    Nested,
}

/// Every class, with its name in the page.
const CLASSES: [(Class, &str); 20] = [
    (Class::Ink, "ink"),
    (Class::Muted, "muted"),
    (Class::Grid, "grid"),
    (Class::Track, "track"),
    (Class::Good, "good"),
    (Class::Bad, "bad"),
    (Class::Warn, "warn"),
    (Class::Rest, "rest"),
    (Class::Accent, "accent"),
    (Class::GoodFlow, "good-flow"),
    (Class::BadFlow, "bad-flow"),
    (Class::RestFlow, "rest-flow"),
    (Class::AccentFlow, "accent-flow"),
    (Class::Pause, "pause"),
    (Class::Budget, "budget"),
    (Class::Bool, "t-bool"),
    (Class::Number, "t-number"),
    (Class::Datetime, "t-datetime"),
    (Class::Text, "t-text"),
    (Class::Nested, "t-nested"),
];

impl Class {
    /// The colour that stands for it.
    pub fn color(self) -> RGBColor {
        RGBColor(0, 0, self as u8)
    }

    /// A filled shape.
    pub fn fill(self) -> ShapeStyle {
        self.color().filled()
    }

    /// A line, so many pixels wide.
    pub fn line(self, width: u32) -> ShapeStyle {
        self.color().stroke_width(width)
    }

    /// A text, anchored at its left, middle or right. The page sets its size.
    pub fn text(self, anchor: HPos) -> TextStyle<'static> {
        let style = TextStyle::from(("sans-serif", 13).into_font());
        TextStyle { color: self.color().to_backend_color(), ..style }
            .pos(Pos::new(anchor, VPos::Center))
    }
}

/// One drawing for wide pages and one for narrow ones.
#[derive(Debug, Default)]
pub(super) struct Chart {
    pub wide: String,
    pub narrow: String,
}

/// What a chart shows, in words.
pub(super) struct Words<'a> {
    /// Unique in the page.
    pub id: &'a str,
    pub title: &'a str,
    pub description: &'a str,
}

/// Draws something, and gives it as an `svg` element with its words.
pub(super) fn draw(
    words: &Words<'_>,
    (width, height): (u32, u32),
    paint: impl FnOnce(&Area<'_>) -> Drawn,
) -> io::Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        paint(&area).and_then(|()| area.present()).map_err(io::Error::other)?;
    }
    let Words { id, title, description } = words;
    let shapes = text.split_once("<svg").and_then(|(_, rest)| rest.split_once('>'));
    let shapes = shapes.map_or("", |(_, shapes)| shapes);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
        escaped(title),
        escaped(description)
    );
    svg.push_str(&styled(shapes));
    Ok(svg)
}

/// A small drawing beside the words that say the same, so that a screen reader passes it over.
pub(super) fn decoration(
    size: (u32, u32),
    paint: impl FnOnce(&Area<'_>) -> Drawn,
) -> io::Result<String> {
    let svg = draw(&Words { id: "", title: "", description: "" }, size, paint)?;
    let shapes = svg.split_once("</desc>").map_or("", |(_, shapes)| shapes);
    let (width, height) = size;
    Ok(format!(
        "<svg viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\" \
         aria-hidden=\"true\">{shapes}"
    ))
}

/// Shapes with classes where plotters wrote colours and fonts.
fn styled(shapes: &str) -> String {
    let mut text = String::with_capacity(shapes.len());
    for line in shapes.lines() {
        text.push_str(line.trim_start());
        // The words of a text stand on a line of their own.
        text.push('\n');
    }
    for (class, name) in CLASSES {
        let color = format!("#{:06X}", class as u8);
        for what in ["fill", "stroke"] {
            let with = format!("class=\"{}-{name}\"", &what[..1]);
            text = text.replace(&format!("{what}=\"{color}\""), &with);
        }
    }
    for left_out in [" font-family=\"sans-serif\"", " opacity=\"1\"", " stroke=\"none\""] {
        text = text.replace(left_out, "");
    }
    without_font_size(&text)
}

fn without_font_size(text: &str) -> String {
    let mut parts = text.split(" font-size=\"");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str(part.split_once('"').map_or("", |(_, rest)| rest));
    }
    kept
}

/// A text as it stands between tags or in an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' | '<' | '>' | '"' | '\'' => {
                let _ = write!(safe, "&#{};", char as u32);
            }
            _ => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_fonts_become_classes_and_texts_are_escaped() {
        let words = Words { id: "x", title: "a <b>", description: "c & \"d\"" };
        let svg = draw(&words, (100, 50), |area| {
            area.draw(&Rectangle::new([(0, 0), (10, 10)], Class::Bad.fill()))?;
            area.draw(&PathElement::new([(0, 0), (9, 9)], Class::Grid.line(1)))?;
            area.draw(&Text::new("<script>", (5, 5), Class::Muted.text(HPos::Left)))
        })
        .unwrap();
        assert!(svg.starts_with("<svg viewBox=\"0 0 100 50\" role=\"img\""), "{svg}");
        assert!(svg.contains("<title id=\"x-t\">a &#60;b&#62;</title>"), "{svg}");
        assert!(svg.contains("<desc id=\"x-d\">c &#38; &#34;d&#34;</desc>"), "{svg}");
        for part in ["class=\"f-bad\"", "class=\"s-grid\"", "class=\"f-muted\"", "&lt;script&gt;"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        for part in ["#0000", "font-", "<script", "style="] {
            assert!(!svg.contains(part), "{part}: {svg}");
        }
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn no_two_classes_share_a_colour() {
        for (at, (class, name)) in CLASSES.iter().enumerate() {
            assert_eq!(*class as usize, at + 1, "{name}");
        }
    }
}
