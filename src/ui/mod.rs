//! Pages: what the house's own listener shows to people who look at it with a browser.
//!
//! A page is a template filled with the data that the API gives for the same thing, so that it tells no
//! more. Every value is escaped by the template engine, as the names of the templates ask for; no page
//! has a script, and none changes anything.

use std::sync::OnceLock;

use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

/// How every page looks.
pub const STYLE: &str = include_str!("style.css");

/// The templates, by name.
const TEMPLATES: [(&str, &str); 6] = [
    ("page.html", include_str!("page.html")),
    ("house.html", include_str!("house.html")),
    ("flow.html", include_str!("flow.html")),
    ("call.html", include_str!("call.html")),
    ("caller.html", include_str!("caller.html")),
    ("sorry.html", include_str!("sorry.html")),
];

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The flows and the calls of the house.
    House,
    /// A flow.
    Flow,
    /// A call, as an operator sees it.
    Call,
    /// A call, as the specialist sees it who has the caller on the line.
    Caller,
    /// Why there is nothing to see.
    Sorry,
}

impl Page {
    fn template(self) -> &'static str {
        match self {
            Self::House => "house.html",
            Self::Flow => "flow.html",
            Self::Call => "call.html",
            Self::Caller => "caller.html",
            Self::Sorry => "sorry.html",
        }
    }
}

/// Writes a page. `again_s`: after how many seconds the browser asks anew, if it is to.
///
/// It fails only where a template does not fit its data.
pub fn write(
    page: Page,
    title: &str,
    again_s: Option<u32>,
    data: &impl Serialize,
) -> Result<String, minijinja::Error> {
    let templates = templates();
    let body = templates.get_template(page.template())?.render(Serde(data))?;
    templates.get_template("page.html")?.render(context! {
        title,
        again_s,
        body => Value::from_safe_string(body),
    })
}

fn templates() -> &'static Environment<'static> {
    static TEMPLATES_READ: OnceLock<Environment<'static>> = OnceLock::new();
    TEMPLATES_READ.get_or_init(|| {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        templates.add_filter("moment", moment);
        for (name, text) in TEMPLATES {
            // A template that is not there is missed by whoever asks for it.
            let _ = templates.add_template(name, text);
        }
        templates
    })
}

/// A moment of RFC 3339 for people: to the second.
fn moment(at: &str) -> String {
    let second = at.split_once('.').map_or(at, |(second, _)| second).trim_end_matches('Z');
    second.replacen('T', " ", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_to_the_second() {
        assert_eq!(moment("2026-11-25T22:15:10.329683586Z"), "2026-11-25 22:15:10");
        assert_eq!(moment("2026-11-25T22:15:10Z"), "2026-11-25 22:15:10");
    }

    #[test]
    fn every_template_can_be_read() {
        for (name, _) in TEMPLATES {
            templates().get_template(name).unwrap();
        }
    }

    #[test]
    fn whatever_is_shown_is_escaped() {
        let hostile = "<script>alert(1)</script>";
        let page = write(Page::Sorry, hostile, None, &context! { why => hostile }).unwrap();
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 3, "{page}");
    }
}
