//! A picture as DOT, for Graphviz.

use std::fmt::Write as _;

use super::{Card, GROUPS, Group, Mark, Picture, Sort, Way};

/// Writes it: the states of a group together, a failure dashed, a step-up thick and blue.
pub fn write(picture: &Picture) -> String {
    let mut text = format!("digraph {} {{\n", quoted(&picture.title));
    text.push_str(
        "  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n",
    );
    text.push_str("  edge [fontname=\"sans-serif\", fontsize=10];\n");
    let _ = writeln!(text, "  label={};", quoted(&picture.title));
    for note in &picture.notes {
        let _ = writeln!(text, "  // {note}");
    }
    for (group, word) in GROUPS {
        let mut cards = picture.cards.iter().filter(|card| card.group == group).peekable();
        if cards.peek().is_some() {
            let _ = writeln!(text, "  // {word}");
        }
        for card in cards {
            let _ =
                writeln!(text, "  {} [{}];", quoted(&card.name), look(card, picture.border(card)));
        }
    }
    if let Some(start) = picture.cards.iter().find(|card| card.starts) {
        text.push_str("  \"(a call)\" [shape=point];\n");
        let _ = writeln!(text, "  \"(a call)\" -> {};", quoted(&start.name));
    }
    for way in &picture.ways {
        let (Some(from), Some(to)) = (picture.cards.get(way.from), picture.cards.get(way.to))
        else {
            continue;
        };
        let (from, to) = (quoted(&from.name), quoted(&to.name));
        let _ = writeln!(text, "  {from} -> {to} [{}];", line(way));
    }
    text.push_str("}\n");
    text
}

fn look(card: &Card, border: Option<&str>) -> String {
    let mut lines = vec![card.name.clone(), card.what.clone()];
    lines.extend(card.level.iter().map(|(_, level)| format!("requires {level}")));
    if !card.remark.is_empty() {
        lines.push(card.remark.clone());
    }
    let mut look =
        format!("label={}, fillcolor=\"{}\"", quoted(&lines.join("\n")), card.group.fill());
    if card.group == Group::Ends {
        look.push_str(", peripheries=2");
    }
    if let Some(colour) = border {
        let _ = write!(look, ", color=\"{colour}\", penwidth=2");
    }
    look
}

fn line(way: &Way) -> String {
    let mut line = format!("label={}", quoted(&way.labels.join(", ")));
    match way.sort {
        Sort::Onward => {}
        Sort::StepUp => line.push_str(", style=bold"),
        Sort::Failure => line.push_str(", style=dashed"),
        Sort::Back => line.push_str(", style=dotted"),
    }
    let colour = way.mark.colour().unwrap_or(way.sort.colour());
    let _ = write!(line, ", color=\"{colour}\"");
    if way.mark == Mark::Walked {
        line.push_str(", penwidth=3");
    }
    line
}

fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{text}\"")
}
