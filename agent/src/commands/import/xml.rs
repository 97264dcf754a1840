//! Reads a small XML file into elements. No document type is looked at, no entity is defined, and depth and
//! number of elements are bounded.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::source::{Malformed, Source};

/// Conditions are nested a few levels deep; reading them takes stack.
const MAX_DEPTH: usize = 64;
/// Rules of a large site have a few thousand.
const MAX_ELEMENTS: usize = 50_000;

/// An element.
#[derive(Debug)]
pub(super) struct Element {
    /// Its name without the prefix.
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Self>,
    /// All text directly in it, without space at its ends.
    pub(super) text: String,
    /// The line of its start, counted from 1.
    pub(super) line: usize,
}

impl Element {
    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The root element of a file.
///
/// # Errors
/// The first place where the file is not XML that is understood, with the reason.
pub(super) fn read(source: &Source) -> Result<Element, Malformed> {
    let mut reader = Reader::from_str(&source.text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0;
    let mut line = Lines::new(&source.text);
    loop {
        let number = line.at(reader.buffer_position());
        let event = reader.read_event();
        let event = event.map_err(|error| {
            let number = line.at(reader.error_position());
            source.malformed(number, format!("not XML: {error}"))
        })?;
        let malformed = |what: &str| Err(source.malformed(number, what));
        match event {
            Event::Start(start) => {
                elements += 1;
                if elements > MAX_ELEMENTS {
                    return malformed("more elements than rules ever have");
                }
                if open.len() >= MAX_DEPTH {
                    return malformed("elements in each other deeper than rules ever are");
                }
                if open.is_empty() && root.is_some() {
                    return malformed("a second root element");
                }
                // What was read so far ends at the start's last line; its name is on the first.
                let element =
                    element(&start, number).map_err(|what| source.malformed(number, what))?;
                open.push(element);
            }
            Event::End(_) => {
                // The reader has checked that it is the right one.
                if let Some(mut element) = open.pop() {
                    element.text = element.text.trim().to_owned();
                    match open.last_mut() {
                        Some(parent) => parent.children.push(element),
                        None => root = Some(element),
                    }
                }
            }
            Event::Text(text) => add_text(&mut open, &text.xml10_content())
                .map_err(|what| source.malformed(number, what))?,
            Event::CData(text) => add_text(&mut open, &text.xml10_content())
                .map_err(|what| source.malformed(number, what))?,
            Event::GeneralRef(reference) => {
                let mut buffer = [0; 4];
                let text = match reference.resolve_char_ref() {
                    Ok(Some(char)) => Some(&*char.encode_utf8(&mut buffer)),
                    Ok(None) => resolve_xml_entity(&reference),
                    Err(_) => None,
                };
                let Some(text) = text else {
                    return malformed("an entity that is not one of XML's own");
                };
                add_text(&mut open, text).map_err(|what| source.malformed(number, what))?;
            }
            Event::DocType(declaration) => {
                if declaration.contains(['[', '<']) {
                    return malformed(
                        "a document type with declarations of its own is refused: take them out",
                    );
                }
            }
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if let Some(element) = open.last() {
        return Err(source.malformed(element.line, format!("`{}` has no end", element.name)));
    }
    root.ok_or_else(|| source.malformed(1, "no element"))
}

fn element(start: &BytesStart<'_>, line: usize) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("not XML: {error}"))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| format!("not XML: {error}"))?;
        attributes.push((attribute.key.into_inner().to_owned(), value.into_owned()));
    }
    Ok(Element {
        name: start.local_name().into_inner().to_owned(),
        attributes,
        children: Vec::new(),
        text: String::new(),
        line,
    })
}

fn add_text(open: &mut [Element], text: &str) -> Result<(), &'static str> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("text outside the root element"),
    }
    Ok(())
}

/// Finds the line of positions that only grow.
struct Lines<'t> {
    text: &'t [u8],
    position: usize,
    line: usize,
}

impl<'t> Lines<'t> {
    const fn new(text: &'t str) -> Self {
        Self {
            text: text.as_bytes(),
            position: 0,
            line: 1,
        }
    }

    fn at(&mut self, position: u64) -> usize {
        let end = usize::try_from(position)
            .unwrap_or(usize::MAX)
            .min(self.text.len());
        if let Some(passed) = self.text.get(self.position..end) {
            self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
            self.position = end;
        }
        self.line
    }
}
