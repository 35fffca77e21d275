//! Text into elements, refusing every kind of XML that a plain document has no use for.

use std::fmt;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::limits;
use crate::twiml::shape::is_legal;

/// An element as it stands in a document. `Debug` shows names alone, for the rest may be a code or a
/// number.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its attributes in order, unescaped.
    pub attributes: Vec<(String, String)>,
    /// Its own text, unescaped, without that of the elements inside.
    pub text: String,
    /// The elements inside.
    pub children: Vec<Node>,
}

impl Node {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, children) = (&self.name, &self.children);
        f.debug_struct("Node")
            .field("name", name)
            .field("children", children)
            .finish_non_exhaustive()
    }
}

pub(super) fn read(document: &str) -> Result<Node, String> {
    if document.len() > limits::TWIML_BYTES_MAX {
        let bytes = document.len();
        return Err(format!("the document has {bytes} bytes, over {}", limits::TWIML_BYTES_MAX));
    }
    if !document.starts_with('<') {
        return Err("something stands before the document".to_owned());
    }
    legal(document.chars())?;
    let mut reader = Reader::from_str(document);
    let mut tree = Tree::default();
    loop {
        match reader.read_event().map_err(broken)? {
            Event::Decl(decl) => {
                let version = decl.version().map_err(broken)?;
                let encoding = decl.encoding().transpose().map_err(broken)?;
                let is_utf8 = encoding.is_none_or(|name| name.eq_ignore_ascii_case("utf-8"));
                if !tree.is_untouched() || version != "1.0" || !is_utf8 {
                    return Err("the declaration is not that of XML 1.0 in UTF-8".to_owned());
                }
            }
            Event::Start(start) => tree.open(node(&start)?)?,
            Event::Empty(start) => {
                tree.open(node(&start)?)?;
                tree.close();
            }
            Event::End(_) => tree.close(),
            Event::Text(text) => {
                if text.contains("]]>") {
                    return Err("`]]>` stands in a text".to_owned());
                }
                tree.text(&text.xml10_content())?;
            }
            Event::GeneralRef(reference) => tree.text(&resolve(&reference)?)?,
            Event::Eof => return tree.finish(),
            Event::CData(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {
                return Err("the document holds more than elements and text".to_owned());
            }
        }
    }
}

fn broken(error: impl fmt::Display) -> String {
    format!("the XML is broken: {error}")
}

fn legal(mut characters: impl Iterator<Item = char>) -> Result<(), String> {
    match characters.find(|c| !is_legal(*c)) {
        Some(c) => Err(format!("XML 1.0 forbids U+{:04X}", u32::from(c))),
        None => Ok(()),
    }
}

fn node(start: &BytesStart<'_>) -> Result<Node, String> {
    let mut node = Node { name: start.name().as_ref().to_owned(), ..Node::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(broken)?;
        if attribute.value.contains('<') {
            return Err("`<` stands in an attribute".to_owned());
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(broken)?;
        legal(value.chars())?;
        node.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(node)
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(c) = reference.resolve_char_ref().map_err(broken)? {
        legal(std::iter::once(c))?;
        return Ok(c.to_string());
    }
    let entity = quick_xml::escape::resolve_xml_entity(reference);
    entity.map(str::to_owned).ok_or_else(|| format!("`&{};` is not defined", &**reference))
}

/// The elements not yet closed, and the root once it is.
#[derive(Default)]
struct Tree {
    open: Vec<Node>,
    root: Option<Node>,
}

impl Tree {
    fn is_untouched(&self) -> bool {
        self.open.is_empty() && self.root.is_none()
    }

    fn open(&mut self, node: Node) -> Result<(), String> {
        if self.open.is_empty() && self.root.is_some() {
            return Err("the document has two roots".to_owned());
        }
        if self.open.len() >= limits::TWIML_DEPTH_MAX {
            return Err("the elements are nested too deep".to_owned());
        }
        self.open.push(node);
        Ok(())
    }

    /// The reader has seen to it that there is an element to close.
    fn close(&mut self) {
        let Some(node) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.root = Some(node),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.open.last_mut() {
            Some(node) => node.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err("text stands outside the root".to_owned()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Node, String> {
        match self.root {
            Some(root) if self.open.is_empty() => Ok(root),
            _ => Err("the document is cut short".to_owned()),
        }
    }
}
