//! `composite_advice`: what a decision about a resource wanted and the session did not have, as XML.
//!
//! ```text
//! <Advices><AttributeValuePair>
//!   <Attribute name="AuthLevelConditionAdvice"/><Value>10</Value>
//! </AttributeValuePair></Advices>
//! ```

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// The only advice that is ever given here.
pub(in crate::services::am) const LEVEL: &str = "AuthLevelConditionAdvice";

/// The highest level that is wanted. `None` if that cannot be told, or something else is wanted, too.
pub(super) fn level(text: &str) -> Option<u16> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<&str> = Vec::new();
    let mut value = String::new();
    let (mut of_level, mut highest) = (false, None);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let inner = match open.as_slice() {
                    [] => ["Advices", ""],
                    ["Advices"] => ["AttributeValuePair", ""],
                    [_, "AttributeValuePair"] => ["Attribute", "Value"],
                    _ => return None,
                };
                let name = start.name().into_inner().to_owned();
                let name = inner.into_iter().find(|inner| *inner == name)?;
                match name {
                    "Attribute" => of_level = named(&start)? == LEVEL,
                    "Value" if !of_level => return None,
                    _ => of_level = of_level && name == "Value",
                }
                open.push(name);
            }
            Event::Text(text) => match open.last() {
                Some(&"Value") => value.push_str(&text.xml10_content()),
                _ if text.xml10_content().trim_ascii().is_empty() => {}
                _ => return None,
            },
            Event::End(_) if open.pop()? == "Value" => {
                // A realm may stand before it.
                let level = value.rsplit(':').next().unwrap_or_default().trim_ascii();
                highest = highest.max(Some(level.parse().ok()?));
                value.clear();
            }
            Event::End(_) => {}
            Event::Eof if open.is_empty() => return highest,
            _ => return None,
        }
    }
}

/// The attribute `name`.
fn named(start: &BytesStart<'_>) -> Option<String> {
    let mut attributes = start.attributes().flatten();
    let attribute = attributes.find(|it| it.key.into_inner() == "name")?;
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, values: &str) -> String {
        format!("<AttributeValuePair><Attribute name=\"{name}\"/>{values}</AttributeValuePair>")
    }

    #[test]
    fn the_highest_level_counts() {
        let ten = pair(LEVEL, "<Value>10</Value>");
        for (inner, expected) in [
            (ten.clone(), 10),
            (ten.replace("10", " /alpha:10\n"), 10),
            (format!("\n {ten}\n{}", pair(LEVEL, "<Value>7</Value>")), 10),
            (pair(LEVEL, "<Value>7</Value> <Value>12</Value>"), 12),
        ] {
            let text = format!("<Advices>{inner}</Advices>");
            assert_eq!(level(&text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_no_level() {
        let ten = pair(LEVEL, "<Value>10</Value>");
        let deep = "<Advices>".repeat(10_000);
        for text in [
            "",
            "10",
            "<Advices/>",
            "<Advices>",
            &ten,
            &format!("<Advices>{ten}</Advices>x"),
            &format!("<Advices>{ten}"),
            &format!("<Advices>x{ten}</Advices>"),
            &format!("<!DOCTYPE a [<!ENTITY b \"10\">]><Advices>{ten}</Advices>"),
            &format!("<Advices>{}</Advices>", pair(LEVEL, "")),
            &format!("<Advices>{}</Advices>", pair(LEVEL, "<Value/>")),
            &format!("<Advices>{}</Advices>", pair(LEVEL, "<Value>x</Value>")),
            &format!("<Advices>{}</Advices>", pair(LEVEL, "<Value>-1</Value>")),
            &format!("<Advices>{}</Advices>", pair(LEVEL, "<Value>&b;</Value>")),
            &format!("<Advices>{}</Advices>", pair("Other", "<Value>10</Value>")),
            &format!(
                "<Advices>{ten}{}</Advices>",
                pair("AuthSchemeConditionAdvice", "<Value>X</Value>")
            ),
            &format!(
                "<Advices>{ten}<AttributeValuePair><Value>9</Value></AttributeValuePair></Advices>"
            ),
            &deep,
        ] {
            assert_eq!(level(text), None, "{text:.200}");
        }
    }
}
