//! XML of strangers, read with bounds, and our own, written.
//!
//! What is not needed is refused: DOCTYPE and with it every entity of a document's own, processing instructions,
//! encodings other than UTF-8. References are the five predefined ones and those to characters.

use quick_xml::XmlVersion;
use quick_xml::errors::Error;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use quick_xml::reader::NsReader;
use zeroize::Zeroizing;

/// Elements within elements: a call has five, and a SOAP header may have some more.
const MAX_DEPTH: usize = 16;
/// Elements in one document: twenty times as many as any call has.
const MAX_ELEMENTS: usize = 512;
/// Attributes of one element, declarations of namespaces among them: some clients declare a dozen at the root.
const MAX_ATTRIBUTES: usize = 32;

/// The text is no XML, or more than is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<Error> for Malformed {
    fn from(_: Error) -> Self {
        Self
    }
}

/// One element. It may hold a password, so it cannot be printed.
pub(super) struct Element {
    /// The namespace, if it is in one.
    pub(super) namespace: Option<String>,
    /// The name without a prefix.
    pub(super) name: String,
    /// All text directly in it, joined.
    pub(super) text: Zeroizing<String>,
    /// The elements directly in it.
    pub(super) children: Vec<Self>,
    /// Namespaces in which it has an attribute `mustUnderstand` that is true.
    pub(super) must_understand: Vec<String>,
}

impl Element {
    /// Reads a document of one element.
    ///
    /// # Errors
    /// If it is not one, or beyond the bounds.
    pub(super) fn read(document: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(document).map_err(|_| Malformed)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // UTF-16 without a mark is full of zeros.
        if !text.chars().all(is_allowed) {
            return Err(Malformed);
        }
        let mut reader = NsReader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        let mut elements = 0;
        let mut first = true;
        loop {
            match reader.read_event()? {
                Event::Decl(declaration) if first => check_declaration(&declaration)?,
                Event::Start(start) => {
                    elements += 1;
                    if root.is_some() || open.len() == MAX_DEPTH || elements > MAX_ELEMENTS {
                        return Err(Malformed);
                    }
                    open.push(Self::begun(&start, reader.resolver())?);
                }
                Event::End(_) => {
                    let ended = open.pop().ok_or(Malformed)?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(ended),
                        None => root = Some(ended),
                    }
                }
                Event::Text(text) => add(&mut open, &text.xml10_content())?,
                Event::CData(text) if !open.is_empty() => add(&mut open, &text.xml10_content())?,
                Event::GeneralRef(reference) if !open.is_empty() => {
                    add(&mut open, resolve(&reference)?.encode_utf8(&mut [0; 4]))?;
                }
                Event::Comment(_) => {}
                Event::Eof if open.is_empty() => return root.ok_or(Malformed),
                Event::Decl(_)
                | Event::DocType(_)
                | Event::PI(_)
                | Event::CData(_)
                | Event::GeneralRef(_)
                | Event::Empty(_)
                | Event::Eof => return Err(Malformed),
            }
            first = false;
        }
    }

    fn begun(start: &BytesStart<'_>, resolver: &NamespaceResolver) -> Result<Self, Malformed> {
        let mut must_understand = Vec::new();
        for (index, attribute) in start.attributes().enumerate() {
            let attribute = attribute.map_err(|_| Malformed)?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            if index == MAX_ATTRIBUTES {
                return Err(Malformed);
            }
            let (namespace, name) = resolver.resolve_attribute(attribute.key);
            if let (Some(namespace), "mustUnderstand") = (bound(namespace)?, name.into_inner())
                && matches!(value.trim(), "1" | "true")
            {
                must_understand.push(namespace);
            }
        }
        let (namespace, name) = resolver.resolve_element(start.name());
        Ok(Self {
            namespace: bound(namespace)?,
            name: name.into_inner().to_owned(),
            text: Zeroizing::default(),
            children: Vec::new(),
            must_understand,
        })
    }

    /// Whether it is called this, in whatever case: services of this kind have changed the case of names.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

fn bound(namespace: ResolveResult<'_>) -> Result<Option<String>, Malformed> {
    match namespace {
        ResolveResult::Unbound => Ok(None),
        ResolveResult::Bound(namespace) => Ok(Some(namespace.into_inner().to_owned())),
        ResolveResult::Unknown(_) => Err(Malformed),
    }
}

/// Only blanks may be outside of the one element.
fn add(open: &mut [Element], text: &str) -> Result<(), Malformed> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim_ascii().is_empty() => {}
        None => return Err(Malformed),
    }
    Ok(())
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), Malformed> {
    let version = declaration.version()?;
    let encoding = match declaration.encoding() {
        Some(encoding) => encoding.map_err(|_| Malformed)?,
        None => return Ok(()),
    };
    let known = ["utf-8", "utf8", "us-ascii"];
    if version == "1.0" && known.iter().any(|name| encoding.eq_ignore_ascii_case(name)) {
        Ok(())
    } else {
        Err(Malformed)
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, Malformed> {
    let character = match reference.resolve_char_ref()? {
        Some(character) => Some(character),
        None => resolve_xml_entity(reference).and_then(|text| text.chars().next()),
    };
    character.filter(|&it| is_allowed(it)).ok_or(Malformed)
}

/// `Char` of XML 1.0, section 2.2.
const fn is_allowed(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..
    )
}

/// Writes an element that holds a text. What XML cannot hold is written as U+FFFD.
pub(super) fn write(out: &mut String, name: &str, text: &str) {
    let writable = |it: char| if is_allowed(it) { it } else { '\u{fffd}' };
    let text: String = text.chars().map(writable).collect();
    // A bare one would be read as a line feed.
    let text = escape(text).replace('\r', "&#13;");
    out.extend(["<", name, ">", &text, "</", name, ">"]);
}

#[cfg(test)]
mod tests;
