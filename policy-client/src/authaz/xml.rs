//! XML as answers have it: elements by their local name, and text.
//!
//! Namespaces and prefixes are not looked at, because services in the field disagree about them, and nothing that is
//! read here is signed. A document type declaration is refused, so there are no entities but XML's own five.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

/// Elements inside each other at most; a SOAP answer has eight.
const MAX_DEPTH: usize = 32;
/// Elements at most; an answer has four for each attribute of a user.
const MAX_ELEMENTS: usize = 20_000;

/// An element.
#[derive(Debug, Default)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// The children of a name.
    pub(super) fn children<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of a name, without the blanks around it.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        let child = self.children.iter().find(|child| child.name == name)?;
        Some(child.text.trim())
    }

    /// The first element, in the order of the document, that has a child of this name.
    pub(super) fn parent_of(&self, name: &str) -> Option<&Self> {
        if self.children(name).next().is_some() {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.parent_of(name))
    }
}

/// The document, as an element without a name around its root. `None` if it is none.
pub(super) fn parse(document: &[u8]) -> Option<Element> {
    let text = std::str::from_utf8(document).ok()?;
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    let mut elements = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                elements += 1;
                if open.len() > MAX_DEPTH || elements > MAX_ELEMENTS {
                    return None;
                }
                open.push(named(start.local_name().as_ref()));
            }
            Event::Empty(start) => {
                elements += 1;
                if elements > MAX_ELEMENTS {
                    return None;
                }
                let empty = named(start.local_name().as_ref());
                open.last_mut()?.children.push(empty);
            }
            Event::End(_) => {
                let done = open.pop()?;
                open.last_mut()?.children.push(done);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let text = &mut open.last_mut()?.text;
                match reference.resolve_char_ref().ok()? {
                    Some(character) => text.push(character),
                    None => text.push_str(resolve_xml_entity(&reference)?),
                }
            }
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    // Whatever was opened is closed, and there is exactly one root.
    let document = open.pop()?;
    (open.is_empty() && document.children.len() == 1 && document.text.trim().is_empty())
        .then_some(document)
}

fn named(name: &str) -> Element {
    Element {
        name: name.to_owned(),
        ..Element::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_their_local_name_whatever_is_around_them() {
        let document = br#"<?xml version="1.0"?><!-- x --><s:Envelope xmlns:s="urn:s"><s:Body><ns2:r xmlns:ns2="urn:n">
            <return><resultCode> LOGIN_SUCCESS </resultCode><token><![CDATA[a&b]]>&#x41;&lt;</token><empty/></return>
            </ns2:r></s:Body></s:Envelope>"#;
        let document = parse(document).unwrap();
        let found = document.parent_of("resultCode").unwrap();
        assert_eq!(found.text_of("resultCode"), Some("LOGIN_SUCCESS"));
        assert_eq!(found.text_of("token"), Some("a&bA<"));
        assert_eq!(found.text_of("empty"), Some(""));
        assert_eq!(found.text_of("absent"), None);
    }

    #[test]
    fn what_is_no_document_or_too_much_of_one_is_refused() {
        for document in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a>&unknown;</a>",
            "<a>&#0;</a>",
            "{\"resultCode\":\"AUTHORIZED\"}",
            "<html><br><p></html>",
        ] {
            assert!(parse(document.as_bytes()).is_none(), "{document}");
        }
        assert!(parse(b"<a>\xff</a>").is_none());
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_some());
        assert!(parse(nested(MAX_DEPTH + 1).as_bytes()).is_none());
        let wide = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count));
        assert!(parse(wide(MAX_ELEMENTS - 1).as_bytes()).is_some());
        assert!(parse(wide(MAX_ELEMENTS).as_bytes()).is_none());
    }
}
