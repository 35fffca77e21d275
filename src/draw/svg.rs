//! A picture as SVG: each state a card that lists its ways out, each way a line from its row.
//!
//! The words of a way stand in the card it leaves, so that no label lies across a line. A way back
//! leaves its card on the left.

use std::fmt::Write as _;

use super::layout::{Arrangement, Line, Point, Size, place};
use super::{Card, GROUPS, Group, Mark, Picture, Sort, Way, level_colour};

/// The name and the type, above the ways out.
const HEAD: f64 = 40.0;
const ROW: f64 = 17.0;
const FOOT: f64 = 6.0;
/// How far below the top of a card lines enter.
const ENTRY: f64 = 20.0;
const MARGIN: f64 = 40.0;
const WIDTH_MIN: f64 = 118.0;
/// Labels longer than this are cut; the whole stands in the title of the row.
const LABEL_MAX: usize = 36;

const STYLE: &str = "
    text { font-family: system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; font-size: 11px; fill: #30363d; }
    .title { font-size: 20px; font-weight: 600; }
    .name { font-size: 13px; font-weight: 600; }
    .what { fill: #59636e; }
    .pill { fill: #fff; font-size: 10px; font-weight: 600; }
    .card { fill: #fff; stroke: #8c959f; }
    .gone { text-decoration: line-through; }
    .faded { opacity: .32; }
    path { fill: none; }
";

/// Writes it.
pub fn write(picture: &Picture) -> String {
    let rows = rows(picture);
    let sizes: Vec<_> =
        picture.cards.iter().zip(&rows).map(|(card, rows)| size(card, rows)).collect();
    let mut lines = Vec::new();
    let mut drawn = Vec::new();
    for (from, rows) in rows.iter().enumerate() {
        let mut y = HEAD + ROW / 2.0;
        for way in rows {
            let bundle = u8::from(way.sort == Sort::Failure) + bundle_of(way.mark);
            if way.from != way.to {
                lines.push(Line { from, to: way.to, port: y, bundle });
                drawn.push(*way);
            }
            y += ROW;
        }
    }
    let layout = place(&sizes, &lines, ENTRY);
    let top = MARGIN + 34.0 + 16.0 * f64::from(u32::try_from(picture.notes.len()).unwrap_or(0));
    let width = (layout.width + 2.0 * MARGIN).max(720.0);
    let height = layout.height + top + MARGIN + 40.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text class=\"title\" x=\"{MARGIN}\" y=\"{MARGIN}\">{title}</text>\n",
        title = escaped(&picture.title),
    );
    for (note, y) in picture.notes.iter().zip(0_u32..) {
        let y = MARGIN + 18.0 + 16.0 * f64::from(y);
        let _ = writeln!(text, "<text x=\"{MARGIN}\" y=\"{y:.0}\">{}</text>", escaped(note));
    }
    let _ = writeln!(text, "<g transform=\"translate({MARGIN} {top:.0})\">");
    draw_lines(&mut text, &layout, &drawn);
    // In the order of those that were drawn.
    let mut backward = layout.backward.iter();
    let mut is_back = |way: &Way| way.from != way.to && backward.next() == Some(&true);
    for (((card, rows), size), at) in picture.cards.iter().zip(&rows).zip(&sizes).zip(&layout.boxes)
    {
        let rows = rows.iter().map(|way| (*way, is_back(way))).collect();
        Drawn { card, border: picture.border(card), rows, size: *size, at: *at }.write(&mut text);
    }
    text.push_str("</g>\n");
    legend(&mut text, picture, height - 22.0);
    text.push_str("</svg>\n");
    text
}

/// The ways out of each card.
fn rows(picture: &Picture) -> Vec<Vec<&Way>> {
    let mut rows = vec![Vec::new(); picture.cards.len()];
    for way in &picture.ways {
        if let Some(rows) = rows.get_mut(way.from) {
            rows.push(way);
        }
    }
    rows
}

/// Lines that stand out keep lanes of their own.
fn bundle_of(mark: Mark) -> u8 {
    match mark {
        Mark::Plain | Mark::Changed | Mark::Missed => 0,
        Mark::Added | Mark::Covered => 2,
        Mark::Removed | Mark::Uncovered => 4,
        Mark::Partly => 8,
        Mark::Walked => 6,
    }
}

fn size(card: &Card, rows: &[&Way]) -> Size {
    let level = card.level.as_ref().map_or(0.0, |(_, level)| pill_width(level) + 10.0);
    let head = wide(&card.name, 8.2) + 24.0 + level;
    let what = wide(&card.what, 6.6) + wide(&card.remark, 6.6) + 44.0;
    let labels = rows.iter().map(|way| wide(&label(way), 6.6) + 30.0).fold(0.0, f64::max);
    let rows = f64::from(u32::try_from(rows.len()).unwrap_or(0));
    Size {
        width: head.max(what).max(labels).max(WIDTH_MIN),
        height: HEAD + rows * ROW + if rows > 0.0 { FOOT } else { 0.0 },
    }
}

fn wide(text: &str, each: f64) -> f64 {
    f64::from(u32::try_from(text.chars().count()).unwrap_or(0)) * each
}

fn pill_width(level: &str) -> f64 {
    wide(level, 6.4) + 12.0
}

fn label(way: &Way) -> String {
    let label = way.labels.join(", ");
    if label.chars().count() > LABEL_MAX {
        return label.chars().take(LABEL_MAX - 1).chain(['…']).collect();
    }
    label
}

fn draw_lines(text: &mut String, layout: &Arrangement, drawn: &[&Way]) {
    // What stands out is drawn last, above the rest.
    let mut order: Vec<_> = drawn.iter().zip(&layout.lines).zip(&layout.backward).collect();
    order.sort_by_key(|((way, _), _)| (way.mark.colour().is_some(), way.sort == Sort::StepUp));
    for ((way, points), back) in order {
        let colour = way.mark.colour().unwrap_or(way.sort.colour());
        let dash = match way.sort {
            Sort::Onward | Sort::StepUp => "",
            Sort::Failure => " stroke-dasharray=\"5 4\"",
            Sort::Back => " stroke-dasharray=\"2 3\"",
        };
        let wide = match (way.mark, way.sort) {
            (Mark::Walked, _) => 3.0,
            (Mark::Added | Mark::Removed, _) | (_, Sort::StepUp) => 2.2,
            _ => 1.2,
        };
        let faded = if way.mark == Mark::Missed { " class=\"faded\"" } else { "" };
        let _ = writeln!(
            text,
            "<path{faded} d=\"{}\" stroke=\"{colour}\" stroke-width=\"{wide}\"{dash}/>",
            curve(points)
        );
        let Some(end) = points.last() else { continue };
        let tail = if *back { 8.0 } else { -8.0 };
        let _ = writeln!(
            text,
            "<path{faded} d=\"M{:.1} {:.1}l{tail} -4v8z\" style=\"fill:{colour}\"/>",
            end.x, end.y
        );
    }
}

fn curve(points: &[Point]) -> String {
    let mut path = String::new();
    let mut before: Option<&Point> = None;
    for point in points {
        match before {
            None => {
                let _ = write!(path, "M{:.1} {:.1}", point.x, point.y);
            }
            Some(before) if (before.y - point.y).abs() < 0.05 => {
                let _ = write!(path, "H{:.1}", point.x);
            }
            Some(before) => {
                let half = f64::midpoint(before.x, point.x);
                let _ = write!(
                    path,
                    "C{half:.1} {:.1} {half:.1} {:.1} {:.1} {:.1}",
                    before.y, point.y, point.x, point.y
                );
            }
        }
        before = Some(point);
    }
    path
}

/// A card in its place.
struct Drawn<'p> {
    card: &'p Card,
    border: Option<&'p str>,
    /// Its ways out, and whether each leaves it on the left.
    rows: Vec<(&'p Way, bool)>,
    size: Size,
    at: Point,
}

impl Drawn<'_> {
    fn write(&self, text: &mut String) {
        let faded = if self.card.mark == Mark::Missed { " class=\"faded\"" } else { "" };
        let Point { x, y } = self.at;
        let _ = writeln!(text, "<g{faded} transform=\"translate({x:.1} {y:.1})\">");
        self.write_frame(text);
        self.write_head(text);
        let mut y = HEAD + ROW / 2.0 + 4.0;
        for (way, backward) in &self.rows {
            draw_row(text, way, self.size.width, y, *backward);
            y += ROW;
        }
        text.push_str("</g>\n");
    }

    fn write_frame(&self, text: &mut String) {
        let Size { width, height } = self.size;
        if self.card.starts {
            text.push_str("<circle cx=\"-26\" cy=\"20\" r=\"6\" fill=\"#30363d\"/><path d=\"M-20 20H-6\" stroke=\"#30363d\" stroke-width=\"2\"/><path d=\"M0 20l-8 -4v8z\" style=\"fill:#30363d\"/>\n");
        }
        let stroke = self
            .border
            .map_or(String::new(), |colour| format!(" style=\"stroke:{colour};stroke-width:2.2\""));
        let round = if self.card.group == Group::Ends { 16 } else { 6 };
        if self.card.group == Group::Ends {
            let _ = writeln!(
                text,
                "<rect class=\"card\" x=\"-4\" y=\"-4\" width=\"{:.0}\" height=\"{:.0}\" rx=\"20\"/>",
                width + 8.0,
                height + 8.0
            );
        }
        let _ = writeln!(
            text,
            "<rect class=\"card\" width=\"{width:.0}\" height=\"{height:.0}\" rx=\"{round}\" fill=\"#fff\"{stroke}/>"
        );
        let head = if self.rows.is_empty() { height } else { HEAD - 4.0 };
        let _ = writeln!(
            text,
            "<rect x=\"1.5\" y=\"1.5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"{}\" fill=\"{}\"/>",
            width - 3.0,
            head - 3.0,
            round - 1,
            self.card.group.fill()
        );
    }

    fn write_head(&self, text: &mut String) {
        let Self { card, size: Size { width, .. }, .. } = self;
        let gone = if card.mark == Mark::Removed { " gone" } else { "" };
        let (name, what) = (escaped(&card.name), escaped(&card.what));
        let _ = writeln!(text, "<text class=\"name{gone}\" x=\"12\" y=\"17\">{name}</text>");
        let _ = writeln!(text, "<text class=\"what\" x=\"12\" y=\"31\">{what}</text>");
        if !card.remark.is_empty() {
            let colour = card.mark.colour().unwrap_or("#59636e");
            let _ = writeln!(
                text,
                "<text x=\"{:.0}\" y=\"31\" text-anchor=\"end\" style=\"fill:{colour};font-weight:600\">{}</text>",
                width - 10.0,
                escaped(&card.remark)
            );
        }
        if let Some((number, level)) = &card.level {
            let wide = pill_width(level);
            let x = width - wide - 8.0;
            let _ = writeln!(
                text,
                "<rect x=\"{x:.0}\" y=\"6\" width=\"{wide:.0}\" height=\"14\" rx=\"7\" fill=\"{}\"/><text class=\"pill\" x=\"{:.0}\" y=\"16.5\" text-anchor=\"middle\">{}</text>",
                level_colour(*number),
                x + wide / 2.0,
                escaped(level)
            );
        }
    }
}

fn draw_row(text: &mut String, way: &Way, width: f64, y: f64, backward: bool) {
    let colour = way.mark.colour().unwrap_or(way.sort.colour());
    let gone = if way.mark == Mark::Removed { " class=\"gone\"" } else { "" };
    let loops = if way.from == way.to { " ↻" } else { "" };
    let (x, anchor) = if backward { (12.0, "start") } else { (width - 12.0, "end") };
    let _ = writeln!(
        text,
        "<text{gone} x=\"{x:.0}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" style=\"fill:{colour}\">{}{loops}<title>{}</title></text>",
        escaped(&label(way)),
        escaped(&way.labels.join(", "))
    );
}

fn legend(text: &mut String, picture: &Picture, y: f64) {
    let mut x = MARGIN;
    let _ = writeln!(text, "<g transform=\"translate(0 {y:.0})\">");
    let mut entry = |shape: String, words: &str| {
        let _ = writeln!(
            text,
            "<g transform=\"translate({x:.0} 0)\">{shape}<text x=\"26\" y=\"4\">{}</text></g>",
            escaped(words)
        );
        x += wide(words, 6.6) + 44.0;
    };
    for (group, word) in GROUPS {
        if picture.cards.iter().any(|card| card.group == group) {
            let fill = group.fill();
            entry(
                format!(
                    "<rect y=\"-6\" width=\"20\" height=\"12\" rx=\"3\" fill=\"{fill}\" stroke=\"#8c959f\"/>"
                ),
                word,
            );
        }
    }
    for (number, level) in picture.levels.iter().enumerate() {
        let colour = level_colour(number);
        entry(
            format!("<rect y=\"-6\" width=\"20\" height=\"12\" rx=\"6\" fill=\"{colour}\"/>"),
            &format!("requires {level}"),
        );
    }
    for (sort, dash, words) in [
        (Sort::StepUp, "", "step up"),
        (Sort::Failure, " stroke-dasharray=\"5 4\"", "failure or silence"),
    ] {
        let colour = sort.colour();
        entry(format!("<path d=\"M0 0H20\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/>"), words);
    }
    for mark in &picture.marks {
        let colour = mark.colour().unwrap_or("#d0d7de");
        entry(
            format!("<path d=\"M0 0H20\" stroke=\"{colour}\" stroke-width=\"4\"/>"),
            mark.as_str(),
        );
    }
    text.push_str("</g>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
