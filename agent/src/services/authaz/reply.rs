//! Answers, and how they are written.

use http::{HeaderMap, Response, StatusCode, header};
use policy_protocol::Reason;
use serde_json::json;

use super::operation::Operation;
use super::xml;
use crate::http::body::Body;
use crate::services::respond;

/// The response attribute that says why.
const AUTH_REASON: &str = "SM_AUTHREASON";

/// An answer.
pub(super) struct Reply {
    pub(super) operation: Operation,
    /// In REST. In SOAP, what is no fault is 200.
    pub(super) status: StatusCode,
    pub(super) message: &'static str,
    pub(super) code: &'static str,
    pub(super) token: Option<String>,
    /// Names and values.
    pub(super) responses: Vec<(String, String)>,
}

impl Reply {
    /// An answer without anything more.
    pub(super) const fn new(
        operation: Operation,
        code: &'static str,
        message: &'static str,
    ) -> Self {
        Self {
            operation,
            status: StatusCode::OK,
            message,
            code,
            token: None,
            responses: Vec::new(),
        }
    }

    /// The call cannot be understood or not be taken.
    pub(super) fn refused(operation: Operation, status: StatusCode) -> Self {
        Self {
            status,
            ..Self::new(
                operation,
                operation.bad_request(),
                status.canonical_reason().unwrap_or_default(),
            )
        }
    }

    /// The call has no meaning.
    pub(super) fn bad_request(operation: Operation) -> Self {
        Self::refused(operation, StatusCode::BAD_REQUEST)
    }

    /// The policy server gives no answer.
    pub(super) fn unavailable(operation: Operation) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::new(operation, operation.unavailable(), "System")
        }
    }

    /// The same with why.
    pub(super) fn because(mut self, reason: Reason) -> Self {
        self.responses
            .insert(0, (AUTH_REASON.to_owned(), reason.to_string()));
        self
    }

    /// What is in an answer in XML: the same in REST and in SOAP.
    pub(super) fn write(&self, out: &mut String) {
        xml::write(out, "message", self.message);
        xml::write(out, "resultCode", self.code);
        if let Some(token) = &self.token {
            xml::write(out, "sessionToken", token);
        }
        if self.responses.is_empty() {
            return;
        }
        let list = self.operation.responses();
        out.extend(["<", list, ">"]);
        for (name, value) in &self.responses {
            out.push_str("<response>");
            xml::write(out, "name", name);
            xml::write(out, "value", value);
            out.push_str("</response>");
        }
        out.extend(["</", list, ">"]);
    }

    fn json(&self) -> String {
        let mut answer = json!({ "message": self.message, "resultCode": self.code });
        if let Some(token) = &self.token {
            answer["sessionToken"] = json!(token);
        }
        if !self.responses.is_empty() {
            let each = self.responses.iter();
            let each = each.map(|(name, value)| json!({ "name": name, "value": value }));
            answer[self.operation.responses()] = each.collect();
        }
        answer.to_string()
    }

    /// As an answer of the REST interface.
    pub(super) fn in_rest(&self, format: Format) -> Response<Body> {
        let (content_type, text) = match format {
            Format::Json => ("application/json", self.json()),
            Format::Xml => {
                let root = self.operation.rest_answer();
                let mut out = format!("{DECLARATION}<{root}>");
                self.write(&mut out);
                out.extend(["</", root, ">"]);
                ("application/xml", out)
            }
        };
        respond::content(self.status, content_type, text)
    }
}

/// How every document begins.
pub(super) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// What a call or an answer of the REST interface is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Xml,
    Json,
}

impl Format {
    /// What a call is in: XML, unless it says otherwise.
    pub(super) fn sent(headers: &HeaderMap) -> Self {
        match text_of(headers, &header::CONTENT_TYPE) {
            Some(text) if text.contains("json") => Self::Json,
            _ => Self::Xml,
        }
    }

    /// What an answer is wanted in: what the call is in, unless it says otherwise.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let accept = text_of(headers, &header::ACCEPT).unwrap_or_default();
        match (accept.contains("json"), accept.contains("xml")) {
            (true, false) => Self::Json,
            (false, true) => Self::Xml,
            _ => Self::sent(headers),
        }
    }
}

fn text_of(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
