//! A picture as Mermaid, for what renders Markdown.

use std::fmt::Write as _;

use super::{Card, GROUPS, Group, Mark, Picture, Sort};

/// Writes it: a class a group, a dotted arrow a failure, a thick one a step-up.
pub fn write(picture: &Picture) -> String {
    let mut text = String::from("flowchart LR\n");
    let _ = writeln!(text, "  %% {}", picture.title);
    for note in &picture.notes {
        let _ = writeln!(text, "  %% {note}");
    }
    for (number, card) in picture.cards.iter().enumerate() {
        let (open, close) = if card.group == Group::Ends { ("([", "])") } else { ("[", "]") };
        let class = class(card.group);
        let _ = writeln!(text, "  s{number}{open}\"{}\"{close}:::{class}", label(card));
        if card.starts {
            let _ = writeln!(text, "  call((call)) --> s{number}");
        }
    }
    let first = usize::from(picture.cards.iter().any(|card| card.starts));
    let mut marked = Vec::new();
    for (number, way) in picture.ways.iter().enumerate() {
        let labels = escaped(&way.labels.join(", "));
        let arrow = match way.sort {
            Sort::Onward => "-->",
            Sort::StepUp => "==>",
            Sort::Failure | Sort::Back => "-.->",
        };
        let _ = writeln!(text, "  s{} {arrow}|\"{labels}\"| s{}", way.from, way.to);
        marked.extend(way.mark.colour().map(|colour| (number + first, colour)));
    }
    for (group, _) in GROUPS {
        let _ = writeln!(
            text,
            "  classDef {} fill:{},stroke:#555,color:#24292f",
            class(group),
            group.fill()
        );
    }
    for (number, card) in picture.cards.iter().enumerate() {
        if let Some(colour) = picture.border(card) {
            let _ = writeln!(text, "  style s{number} stroke:{colour},stroke-width:3px");
        }
    }
    for (number, colour) in marked {
        let _ = writeln!(text, "  linkStyle {number} stroke:{colour},stroke-width:3px");
    }
    text
}

fn label(card: &Card) -> String {
    let mut label = format!("<b>{}</b><br/>{}", escaped(&card.name), escaped(&card.what));
    if let Some((_, level)) = &card.level {
        let _ = write!(label, "<br/>requires {}", escaped(level));
    }
    if card.mark != Mark::Plain && !card.remark.is_empty() {
        let _ = write!(label, "<br/>{}: {}", card.mark.as_str(), escaped(&card.remark));
    }
    label
}

fn class(group: Group) -> &'static str {
    match group {
        Group::Speaks => "speaks",
        Group::Asks => "asks",
        Group::Proves => "proves",
        Group::Decides => "decides",
        Group::HandsOver => "hands_over",
        Group::Ends => "ends",
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '|' => {
                let _ = write!(escaped, "#{};", u32::from(c));
            }
            _ => escaped.push(c),
        }
    }
    escaped
}
