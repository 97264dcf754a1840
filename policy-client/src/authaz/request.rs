//! What is sent: XML at a path for each operation, or SOAP 1.1 at one path.

use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue};
use policy_protocol::{ResourceContext, Secret};

use super::{AuthAzProtocol, AuthAzSettings};
use crate::PolicyError;
use crate::retry::Repeat;
use crate::transport::Exchange;

/// The namespace that clients in the field use.
const NAMESPACE: &str = "http://www.ca.com/siteminder/authaz/2010/04/15/authaz.xsd";
const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// An operation of the services.
pub(super) enum Operation<'a> {
    /// Credentials for a token.
    Login {
        user: &'a str,
        password: &'a Secret<String>,
        resource: &'a ResourceContext,
    },
    /// May the session of this token do this?
    Authorize {
        token: &'a str,
        resource: &'a ResourceContext,
    },
    /// Ends the session of a token.
    Logout(&'a str),
}

/// A request.
pub(super) struct Request<'a> {
    repeat: Repeat,
    path: Vec<&'a str>,
    headers: HeaderMap,
    body: Secret<Vec<u8>>,
}

impl Request<'_> {
    pub(super) fn exchange(&self) -> Exchange<'_> {
        Exchange {
            repeat: self.repeat,
            method: Method::POST,
            path: &self.path,
            query: None,
            headers: self.headers.clone(),
            body: Some(self.body.clone()),
        }
    }
}

/// Whether XML 1.0 has a way to write a text.
fn can_be_written(text: &str) -> bool {
    let is_character = |one: char| {
        matches!(one, '\t' | '\n' | '\r') || one >= ' ' && !matches!(one, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().all(is_character)
}

/// The request of an operation.
pub(super) fn make<'a>(
    settings: &'a AuthAzSettings,
    operation: &Operation<'a>,
) -> Result<Request<'a>, PolicyError> {
    let mut headers = HeaderMap::new();
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/xml, text/xml"),
    );
    if settings
        .caller
        .as_ref()
        .is_some_and(|caller| caller.challenge_cookie)
    {
        headers.insert(COOKIE, HeaderValue::from_static("SMCHALLENGE=YES"));
    }
    let app = app(settings, operation)?;
    let (path, body) = match settings.protocol {
        AuthAzProtocol::Rest => {
            let xml = HeaderValue::from_static("application/xml");
            headers.insert(CONTENT_TYPE, xml);
            (
                rest_path(app, operation),
                rest_body(settings, app, operation),
            )
        }
        AuthAzProtocol::Soap => {
            let xml = HeaderValue::from_static("text/xml; charset=utf-8");
            headers.insert(CONTENT_TYPE, xml);
            let name = operation.name();
            let action = format!("\"{NAMESPACE}/AuthAZService/{name}Request\"");
            let action = HeaderValue::from_str(&action).map_err(|_| PolicyError::Protocol)?;
            headers.insert(SOAP_ACTION, action);
            (
                vec!["authazws", "auth"],
                soap_body(settings, app, operation),
            )
        }
    };
    let repeat = match operation {
        Operation::Login { .. } => Repeat::IfNotProcessed,
        Operation::Authorize { .. } | Operation::Logout(_) => Repeat::Freely,
    };
    Ok(Request {
        repeat,
        path,
        headers,
        body,
    })
}

/// The appId of the host that is asked about. A logout is about a token alone, and any will do.
///
/// # Errors
/// If the host has none: another one's policies would decide.
fn app<'a>(
    settings: &'a AuthAzSettings,
    operation: &Operation<'_>,
) -> Result<&'a str, PolicyError> {
    let (Operation::Login { resource, .. } | Operation::Authorize { resource, .. }) = operation
    else {
        let any = settings.apps.values().next();
        return any.map(String::as_str).ok_or(PolicyError::Failure);
    };
    settings.app_of(&resource.server).ok_or_else(|| {
        let host = &resource.server;
        tracing::error!(host, "no appId in policy_server.apps stands for this host");
        PolicyError::Failure
    })
}

impl Operation<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Login { .. } => "login",
            Self::Authorize { .. } => "authorize",
            Self::Logout(_) => "logout",
        }
    }

    /// The code of an answer that did it, without the lines that some have in it.
    pub(super) const fn success(&self) -> &'static str {
        match self {
            Self::Login { .. } => "LOGINSUCCESS",
            Self::Authorize { .. } => "AUTHORIZED",
            Self::Logout(_) => "LOGOUTSUCCESS",
        }
    }

    /// Whether XML has a way to write it. What is sent otherwise looks to the service like a fault of its own.
    pub(super) fn can_be_written(&self) -> bool {
        let is_fit = |resource: &ResourceContext| {
            can_be_written(&resource.resource) && can_be_written(&resource.action)
        };
        match self {
            Self::Login {
                user,
                password,
                resource,
            } => can_be_written(user) && can_be_written(password.expose()) && is_fit(resource),
            Self::Authorize { token, resource } => can_be_written(token) && is_fit(resource),
            Self::Logout(token) => can_be_written(token),
        }
    }
}

fn rest_path<'a>(app: &'a str, operation: &Operation<'a>) -> Vec<&'a str> {
    let (name, resource) = match operation {
        Operation::Login { resource, .. } => ("login", resource.resource.as_str()),
        Operation::Authorize { resource, .. } => ("authz", resource.resource.as_str()),
        Operation::Logout(_) => ("logout", "/"),
    };
    let resource = resource.strip_prefix('/').unwrap_or(resource);
    ["authazws", "AuthRestService", name, app]
        .into_iter()
        .chain(resource.split('/'))
        .collect()
}

fn rest_body(settings: &AuthAzSettings, app: &str, operation: &Operation<'_>) -> Secret<Vec<u8>> {
    let mut body = Xml::default();
    match operation {
        Operation::Login {
            user,
            password,
            resource,
        } => body.element("loginRequest", |body| {
            credentials(body, settings, user, password);
            body.text("action", &resource.action);
        }),
        Operation::Authorize { token, resource } => body.element("authorizationRequest", |body| {
            body.text("action", &resource.action);
            body.text("resource", &resource.resource);
            body.text("sessionToken", token);
            body.text("appId", app);
        }),
        Operation::Logout(token) => {
            body.element("logoutRequest", |body| body.text("sessionToken", token));
        }
    }
    body.done()
}

fn soap_body(settings: &AuthAzSettings, app: &str, operation: &Operation<'_>) -> Secret<Vec<u8>> {
    let mut body = Xml::default();
    let names = format!("soap:Envelope xmlns:soap=\"{ENVELOPE}\" xmlns:aut=\"{NAMESPACE}\"");
    let operation_name = format!("aut:{}", operation.name());
    body.element(&names, |body| {
        body.element("soap:Body", |body| {
            body.element(&operation_name, |body| match operation {
                Operation::Login {
                    user,
                    password,
                    resource,
                } => {
                    body.element("identityContext", |body| {
                        credentials(body, settings, user, password);
                    });
                    body.text("appId", app);
                    body.text("action", &resource.action);
                    body.text("resource", &resource.resource);
                }
                Operation::Authorize { token, resource } => {
                    body.text("sessionToken", token);
                    body.text("appId", app);
                    body.text("action", &resource.action);
                    body.text("resource", &resource.resource);
                }
                Operation::Logout(token) => body.text("sessionToken", token),
            });
        });
    });
    body.done()
}

/// In the order of the published schema.
fn credentials(body: &mut Xml, settings: &AuthAzSettings, user: &str, password: &Secret<String>) {
    body.text("binaryCreds", "");
    body.text("password", password.expose());
    body.text(settings.user_name_field.name(), user);
}

/// XML that is written. There is room for all of it from the start: what grows leaves copies behind.
struct Xml(Vec<u8>);

impl Default for Xml {
    fn default() -> Self {
        Self(Vec::with_capacity(32 * 1024))
    }
}

impl Xml {
    /// An element; its tag may have attributes.
    fn element(&mut self, tag: &str, content: impl FnOnce(&mut Self)) {
        self.raw(&["<", tag, ">"]);
        content(self);
        let name = tag.split(' ').next().unwrap_or(tag);
        self.raw(&["</", name, ">"]);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.element(name, |xml| {
            for byte in text.bytes() {
                match byte {
                    b'&' => xml.raw(&["&amp;"]),
                    b'<' => xml.raw(&["&lt;"]),
                    b'>' => xml.raw(&["&gt;"]),
                    b'"' => xml.raw(&["&quot;"]),
                    b'\'' => xml.raw(&["&apos;"]),
                    // Readers turn it into a line feed otherwise.
                    b'\r' => xml.raw(&["&#13;"]),
                    byte => xml.0.push(byte),
                }
            }
        });
    }

    fn raw(&mut self, parts: &[&str]) {
        for part in parts {
            self.0.extend_from_slice(part.as_bytes());
        }
    }

    fn done(self) -> Secret<Vec<u8>> {
        Secret::new(self.0)
    }
}

#[cfg(test)]
mod tests;
