//! `[[domains.responses]]`

use http::{HeaderName, HeaderValue};

use super::super::file::ResponseSection;
use super::super::response::{Response, ResponseKind, ResponseValue};
use super::Reader;

impl Reader<'_> {
    pub(super) fn response(&mut self, domain: &str, section: &ResponseSection) -> Option<Response> {
        let key = format!(
            "{domain}.responses.{}",
            section.name.get_ref().escape_debug()
        );
        let kind = self.kind(&key, section);
        let value = self.value(&key, section);
        let ttl = section.ttl.as_ref().map(|ttl| self.ttl(ttl, &key));
        Some(Response {
            kind: kind?,
            value: value?,
            ttl,
        })
    }

    fn kind(&mut self, key: &str, section: &ResponseSection) -> Option<ResponseKind> {
        match (&section.header, &section.cookie) {
            (Some(name), None) => match HeaderName::try_from(name.get_ref()) {
                Ok(header) => return Some(ResponseKind::Header(header.as_str().to_owned())),
                Err(_) => self.report(name.span(), key, "this is not a header name"),
            },
            // A cookie's name is a token, as a header's is (RFC 6265, section 4.1.1).
            (None, Some(name)) => match HeaderName::try_from(name.get_ref()) {
                Ok(_) => return Some(ResponseKind::Cookie(name.get_ref().clone())),
                Err(_) => self.report(name.span(), key, "this is not a cookie name"),
            },
            _ => self.report(
                section.name.span(),
                key,
                "needs either a header or a cookie",
            ),
        }
        None
    }

    fn value(&mut self, key: &str, section: &ResponseSection) -> Option<ResponseValue> {
        match (&section.value, &section.attribute) {
            (Some(value), None) if HeaderValue::from_str(value.get_ref()).is_ok() => {
                return Some(ResponseValue::Static(value.get_ref().clone()));
            }
            (Some(value), None) => {
                self.report(value.span(), key, "a value cannot hold control characters");
            }
            (None, Some(attribute)) => {
                return Some(ResponseValue::Attribute(attribute.get_ref().clone()));
            }
            _ => self.report(
                section.name.span(),
                key,
                "needs either a value or an attribute",
            ),
        }
        None
    }
}
