//! An element of a document, and how it is written. Names are fixed in the program and never made of
//! text, so that no text can become markup.

use std::borrow::Cow;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// An element. It has no `Debug`, for it may speak a code. Its strings are free of characters that XML forbids (see
/// [`clean`](super::shape::clean)); escaping is the writer's.
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
        let mut xml = Writer::new(Vec::new());
        match self.write(&mut xml) {
            Ok(()) => xml.into_inner().len(),
            Err(_) => usize::MAX,
        }
    }

    fn write(&self, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let attributes = self.attributes.iter().map(|(name, value)| (*name, value.as_ref()));
        let start = BytesStart::new(self.name).with_attributes(attributes);
        match &self.content {
            Content::Empty => return xml.write_event(Event::Empty(start)),
            Content::Text(text) => {
                xml.write_event(Event::Start(start))?;
                xml.write_event(Event::Text(BytesText::new(text)))?;
            }
            Content::Children(children) => {
                xml.write_event(Event::Start(start))?;
                for child in children {
                    child.write(xml)?;
                }
            }
        }
        xml.write_event(Event::End(BytesEnd::new(self.name)))
    }
}

/// As long as most documents are.
const DOCUMENT_BYTES: usize = 1_024;

/// The document of these verbs.
pub(super) fn document(verbs: &[Element<'_>]) -> io::Result<String> {
    let mut xml = Writer::new(Vec::with_capacity(DOCUMENT_BYTES));
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.write_event(Event::Start(BytesStart::new("Response")))?;
    for verb in verbs {
        verb.write(&mut xml)?;
    }
    xml.write_event(Event::End(BytesEnd::new("Response")))?;
    String::from_utf8(xml.into_inner()).map_err(io::Error::other)
}
