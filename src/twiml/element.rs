//! An element of a document, and how it is written. Names are fixed in the program and never made of
//! text, so that no text can become markup.

use std::borrow::Cow;

use quick_xml::escape::escape;

/// An element. It has no `Debug`, for it may speak a code. Its strings are free of characters that XML forbids and
/// of tabs and line breaks (see [`clean`](super::shape::clean)); they are escaped as they are written.
pub(super) struct Element<'a> {
    pub(super) name: &'static str,
    pub(super) attributes: Vec<(&'static str, Cow<'a, str>)>,
    pub(super) content: Content<'a>,
}

/// What an element holds.
pub(super) enum Content<'a> {
    Empty,
    Text(Cow<'a, str>),
    Children(Vec<Element<'a>>),
}

impl<'a> Element<'a> {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), content: Content::Empty }
    }

    pub(super) fn with(mut self, attribute: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        self.attributes.push((attribute, value.into()));
        self
    }

    pub(super) fn with_some(
        self,
        attribute: &'static str,
        value: Option<impl Into<Cow<'a, str>>>,
    ) -> Self {
        match value {
            Some(value) => self.with(attribute, value),
            None => self,
        }
    }

    pub(super) fn text(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.content = Content::Text(text.into());
        self
    }

    pub(super) fn children(mut self, children: Vec<Self>) -> Self {
        if !children.is_empty() {
            self.content = Content::Children(children);
        }
        self
    }

    /// The bytes that the element takes in a document.
    pub(super) fn bytes(&self) -> usize {
        let mut xml = String::new();
        self.write(&mut xml);
        xml.len()
    }

    fn write(&self, xml: &mut String) {
        push(xml, &["<", self.name]);
        for (name, value) in &self.attributes {
            push(xml, &[" ", name, "=\"", &escape(value.as_ref()), "\""]);
        }
        match &self.content {
            Content::Empty => return xml.push_str("/>"),
            Content::Text(text) => push(xml, &[">", &escape(text.as_ref())]),
            Content::Children(children) => {
                xml.push('>');
                for child in children {
                    child.write(xml);
                }
            }
        }
        push(xml, &["</", self.name, ">"]);
    }
}

fn push(xml: &mut String, parts: &[&str]) {
    for part in parts {
        xml.push_str(part);
    }
}

/// As long as most documents are.
const DOCUMENT_BYTES: usize = 1_024;

/// The document of these verbs.
pub(super) fn document(verbs: &[Element<'_>]) -> String {
    let mut xml = String::with_capacity(DOCUMENT_BYTES);
    xml.push_str(r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#);
    for verb in verbs {
        verb.write(&mut xml);
    }
    xml.push_str("</Response>");
    xml
}
