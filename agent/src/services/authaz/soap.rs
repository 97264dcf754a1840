//! The SOAP interface: all operations at one path, in SOAP 1.1 and 1.2.
//!
//! The answer is in the version and the namespace of the call. SOAPAction is not looked at: what is in the body
//! decides.

use http::{HeaderMap, Response, StatusCode, header};

use super::fields::Fields;
use super::operation::Operation;
use super::reply::{DECLARATION, Reply};
use super::rest::{MAX_CALL, status_of};
use super::xml::{Element, Malformed};
use super::{Core, caller, operations};
use crate::config::services::Authaz;
use crate::http::body::{Body, RequestBody};
use crate::services::respond;

/// Namespaces of calls: the one that clients use, and those in documents.
const NAMESPACES: [&str; 3] = [
    "http://www.ca.com/siteminder/authaz/2010/04/15/authaz.xsd",
    "http://ca.com/2010/04/15/authentication.xsd",
    "http://ca.com/2010/04/15/authorization.xsd",
];

/// A version of SOAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V11,
    V12,
}

impl Version {
    const ALL: [Self; 2] = [Self::V11, Self::V12];

    /// The version of a call that does not get as far as its envelope.
    fn assumed(headers: &HeaderMap) -> Self {
        let content_type = headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|text| text.to_str().ok());
        match content_type {
            Some(text) if text.to_ascii_lowercase().contains("soap+xml") => Self::V12,
            _ => Self::V11,
        }
    }

    const fn namespace(self) -> &'static str {
        match self {
            Self::V11 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V12 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::V11 => "text/xml; charset=utf-8",
            Self::V12 => "application/soap+xml; charset=utf-8",
        }
    }

    fn envelope(self, status: StatusCode, body: &str) -> Response<Body> {
        let namespace = self.namespace();
        let text = format!(
            "{DECLARATION}<soap:Envelope xmlns:soap=\"{namespace}\"><soap:Body>{body}</soap:Body></soap:Envelope>"
        );
        respond::content(status, self.content_type(), text)
    }
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// The envelope is of another version, or of none.
    VersionMismatch,
    /// A header must be understood and is not.
    MustUnderstand,
    /// The caller's.
    Sender,
    /// Ours.
    Receiver,
}

/// A call that has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fault {
    version: Version,
    code: Code,
    text: &'static str,
}

impl Fault {
    const fn sender(version: Version, text: &'static str) -> Self {
        Self {
            version,
            code: Code::Sender,
            text,
        }
    }

    /// With the status that the version's HTTP binding wants.
    fn response(self) -> Response<Body> {
        let status = match (self.version, self.code) {
            (Version::V12, Code::Sender) => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        self.with(status)
    }

    fn with(self, status: StatusCode) -> Response<Body> {
        let Self { code, text, .. } = self;
        let (name, body) = match (self.version, code) {
            (_, Code::VersionMismatch) => ("VersionMismatch", text),
            (_, Code::MustUnderstand) => ("MustUnderstand", text),
            (Version::V11, Code::Sender) => ("Client", text),
            (Version::V11, Code::Receiver) => ("Server", text),
            (Version::V12, Code::Sender) => ("Sender", text),
            (Version::V12, Code::Receiver) => ("Receiver", text),
        };
        // All of these are texts of ours, and none needs to be escaped.
        let fault = match self.version {
            Version::V11 => format!(
                "<soap:Fault><faultcode>soap:{name}</faultcode><faultstring>{body}</faultstring></soap:Fault>"
            ),
            Version::V12 => format!(
                "<soap:Fault><soap:Code><soap:Value>soap:{name}</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang=\"en\">{body}</soap:Text></soap:Reason></soap:Fault>"
            ),
        };
        self.version.envelope(status, &fault)
    }
}

/// A call.
#[derive(Debug)]
struct Call {
    version: Version,
    /// In which the answer will be.
    namespace: &'static str,
    operation: Operation,
    fields: Fields,
}

impl Call {
    /// Reads an envelope. `assumed` is the version of a fault, if the text says none.
    fn read(text: &[u8], assumed: Version) -> Result<Self, Fault> {
        let malformed = |Malformed| Fault::sender(assumed, "Bad Request");
        let envelope = Element::read(text).map_err(malformed)?;
        let namespace = envelope.namespace.as_deref();
        let version = Version::ALL
            .into_iter()
            .find(|version| namespace == Some(version.namespace()));
        let version = match version {
            Some(version) if envelope.name == "Envelope" => version,
            _ => {
                return Err(Fault {
                    version: assumed,
                    code: Code::VersionMismatch,
                    text: "Not an envelope of SOAP 1.1 or 1.2",
                });
            }
        };
        let soap = Some(version.namespace());
        let bad = Fault::sender(version, "Bad Request");
        let mut body = None;
        for part in &envelope.children {
            match part.name.as_str() {
                _ if part.namespace.as_deref() != soap => return Err(bad),
                "Header" if body.is_none() => check_headers(part, version)?,
                "Body" if body.is_none() => body = Some(part),
                _ => return Err(bad),
            }
        }
        let [call] = body.ok_or(bad)?.children.as_slice() else {
            return Err(bad);
        };
        let namespace = match call.namespace.as_deref() {
            None => Some(NAMESPACES[0]),
            Some(namespace) => NAMESPACES.into_iter().find(|known| *known == namespace),
        };
        let operation = Operation::of_element(&call.name);
        let (Some(namespace), Some(operation)) = (namespace, operation) else {
            return Err(Fault::sender(version, "No such operation"));
        };
        Ok(Self {
            version,
            namespace,
            operation,
            fields: Fields::from_xml(call).map_err(|Malformed| bad)?,
        })
    }
}

/// None is understood, and one that must be is not.
fn check_headers(header: &Element, version: Version) -> Result<(), Fault> {
    let soap = version.namespace();
    let demands = |it: &Element| it.must_understand.iter().any(|named| named == soap);
    if header.children.iter().any(demands) {
        return Err(Fault {
            version,
            code: Code::MustUnderstand,
            text: "No header is understood",
        });
    }
    Ok(())
}

/// The call cannot be understood or not be taken.
pub(super) fn refused(headers: &HeaderMap, status: StatusCode) -> Response<Body> {
    let text = status.canonical_reason().unwrap_or_default();
    Fault::sender(Version::assumed(headers), text).with(status)
}

/// Answers a call.
pub(super) async fn answer(core: &Core<'_>, service: &Authaz, body: RequestBody) -> Response<Body> {
    let assumed = Version::assumed(core.visit.headers);
    let server_fault = |version| Fault {
        version,
        code: Code::Receiver,
        text: "Server Error",
    };
    let sender = |status| refused(core.visit.headers, status);
    let (mut response, more) = match caller::admit(core, service).await {
        Err(refused) if refused.status == StatusCode::INTERNAL_SERVER_ERROR => {
            (server_fault(assumed).response(), refused.headers)
        }
        Err(refused) => (sender(refused.status), refused.headers),
        Ok(more) => {
            let response = match body.read(MAX_CALL).await {
                Err(error) => sender(status_of(error)),
                Ok(text) => match Call::read(&text, assumed) {
                    Err(fault) => fault.response(),
                    Ok(call) => {
                        let reply =
                            operations::perform(core, service, call.operation, call.fields).await;
                        // Codes for what cannot be told were published for this operation alone.
                        if reply.status.is_server_error() && call.operation != Operation::Authorize
                        {
                            server_fault(call.version).response()
                        } else {
                            in_soap(&reply, call.version, call.namespace)
                        }
                    }
                },
            };
            (response, more)
        }
    };
    response.headers_mut().extend(more);
    response
}

/// An answer is 200, whatever it says.
fn in_soap(reply: &Reply, version: Version, namespace: &str) -> Response<Body> {
    let name = reply.operation.soap_answer();
    let mut body = format!("<ns2:{name} xmlns:ns2=\"{namespace}\"><return>");
    reply.write(&mut body);
    body.extend(["</return></ns2:", name, ">"]);
    version.envelope(StatusCode::OK, &body)
}

#[cfg(test)]
mod tests;
