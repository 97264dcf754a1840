//! What is read of answers: by the result code, wherever it stands and whatever the status.
//!
//! An answer without a result code is no answer: that of a gateway that refuses the agent itself, of a proxy, or a
//! SOAP fault.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use policy_protocol::message::ResponseAttribute;
use policy_protocol::{Reason, Secret, UserDirectory};

use super::xml::{self, Element};
use crate::PolicyError;
use crate::foreign::for_log;

/// Response attributes that lead the browser elsewhere.
pub(super) const ACCEPT_REDIRECT: &str = "WebAgent-OnAccept-Redirect";
pub(super) const REJECT_REDIRECT: &str = "WebAgent-OnReject-Redirect";
/// Joins several values of an attribute, as systems of this kind do.
const VALUE_SEPARATOR: char = '^';

/// What the service decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// LOGIN_SUCCESS, AUTHORIZED or LOGOUT_SUCCESS.
    Yes,
    /// LOGIN_FAILED, NOTAUTHORIZED or LOGOUT_FAILURE.
    No,
    /// NOT_PROTECTED: it decided nothing.
    NotProtected,
}

/// An answer.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// The session token, renewed.
    pub(super) token: Option<Secret<String>>,
    pub(super) told: Told,
}

/// The response attributes.
#[derive(Default)]
pub(super) struct Told(BTreeMap<String, Vec<String>>);

/// Reads an answer that is not a failure of the server; `success` is the code of one that did what was asked.
pub(super) fn read(status: StatusCode, body: &[u8], success: &str) -> Result<Answer, PolicyError> {
    let document = xml::parse(body);
    let found = document
        .as_ref()
        .and_then(|document| document.parent_of("resultCode"));
    let Some(answer) = found else {
        return Err(no_answer(status));
    };
    let code = answer.text_of("resultCode").unwrap_or_default();
    // Some spell them with, some without the lines.
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    let outcome = match letters.collect::<String>().to_ascii_uppercase().as_str() {
        found if found == success => Outcome::Yes,
        // That more is needed, the services have no way to give.
        "LOGINFAILED" | "LOGINCHALLENGE" | "NOTAUTHORIZED" | "LOGOUTFAILURE" | "LOGOUTFAILED" => {
            Outcome::No
        }
        "NOTPROTECTED" => Outcome::NotProtected,
        "NOTCONNECTED" => {
            tracing::warn!("the service has no connection to its policy server");
            return Err(PolicyError::Unavailable);
        }
        _ => {
            let code = for_log(code);
            tracing::warn!(status = status.as_u16(), code, "the service failed");
            return Err(PolicyError::Failure);
        }
    };
    let token = answer.text_of("sessionToken");
    let token = token.filter(|token| !token.is_empty());
    Ok(Answer {
        outcome,
        token: token.map(|token| Secret::new(token.to_owned())),
        told: Told::read(answer),
    })
}

/// Whether a body is what SOAP says of a request that it does not understand, or cannot serve.
pub(super) fn is_fault(body: &[u8]) -> bool {
    xml::parse(body).is_some_and(|document| document.parent_of("Fault").is_some())
}

fn no_answer(status: StatusCode) -> PolicyError {
    let status_code = status.as_u16();
    if status.is_success() {
        tracing::warn!(status = status_code, "the service's answer makes no sense");
        return PolicyError::Protocol;
    }
    tracing::warn!(
        status = status_code,
        "the service refuses this agent, or is not there: see policy_server.caller_user and policy_server.urls"
    );
    PolicyError::Failure
}

impl Told {
    fn read(answer: &Element) -> Self {
        let lists = ["authenticationResponses", "authorizationResponses"];
        let lists = lists.into_iter().flat_map(|name| answer.children(name));
        let mut told = Self::default();
        for response in lists.flat_map(|list| list.children("response")) {
            if let Some(name) = response.text_of("name") {
                // Empty values are told in either way.
                let value = response.text_of("value").unwrap_or_default();
                let values = told.0.entry(name.to_owned()).or_default();
                values.push(value.to_owned());
            }
        }
        told
    }

    /// The values of an attribute; services differ in its case, and some keep the prefix of CGI.
    fn all(&self, name: &str) -> Option<&[String]> {
        let is_it =
            |(told, _): &(&String, &Vec<String>)| without_prefix(told).eq_ignore_ascii_case(name);
        let (_, values) = self.0.iter().find(is_it)?;
        Some(values)
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.all(name)?.first().map(String::as_str)
    }

    /// The first value of an attribute, or nothing.
    pub(super) fn text(&self, name: &str) -> String {
        self.first(name).unwrap_or_default().to_owned()
    }

    /// Why it was refused, as far as that is told.
    pub(super) fn reason(&self) -> Reason {
        let number = self.first("SM_AUTHREASON");
        number
            .and_then(|number| number.parse().ok())
            .map_or(Reason::NONE, Reason)
    }

    /// What the session is called for all its life.
    pub(super) fn session_id(&self) -> Option<&str> {
        self.first("SM_SERVERSESSIONID").filter(|id| !id.is_empty())
    }

    /// Until the session ends there at the latest.
    pub(super) fn time_to_expire(&self) -> Option<Duration> {
        let seconds = self.first("SM_TIMETOEXPIRE")?.parse().ok()?;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// The directory that the user is in.
    pub(super) fn directory(&self) -> UserDirectory {
        UserDirectory {
            oid: self.text("SM_AUTHDIROID"),
            name: self.text("SM_AUTHDIRNAME"),
            server: self.text("SM_AUTHDIRSERVER"),
            namespace: self.text("SM_AUTHDIRNAMESPACE"),
        }
    }

    /// The user's groups, if they are told: that there are none is told as well.
    pub(super) fn groups(&self) -> Option<Vec<String>> {
        let values = self.all("SM_USERGROUPS")?;
        let groups = values.iter().flat_map(|value| value.split(VALUE_SEPARATOR));
        let groups = groups.filter(|group| !group.is_empty());
        Some(groups.map(str::to_owned).collect())
    }

    /// The attributes that the site there has defined, with their values: none, if it is told that there is none.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&String, Vec<String>)> {
        self.of_the_site().map(|(name, values)| {
            let is_empty = values.iter().all(String::is_empty);
            (name, if is_empty { Vec::new() } else { values.clone() })
        })
    }

    /// Where the policies there lead the browser.
    pub(super) fn redirect(&self, name: &str) -> Option<String> {
        let location = self.first(name).filter(|location| !location.is_empty());
        location.map(str::to_owned)
    }

    /// What the policies there add to a request.
    pub(super) fn headers(&self) -> Vec<ResponseAttribute> {
        let header = |(name, values): (&String, &Vec<String>)| ResponseAttribute::Header {
            name: name.clone(),
            value: values.join(&VALUE_SEPARATOR.to_string()),
        };
        self.of_the_site().map(header).collect()
    }

    /// The attributes that the site there has defined. The system's own say who somebody is, which the agent tells
    /// applications itself, are secrets of the session, or tell agents what to do.
    fn of_the_site(&self) -> impl Iterator<Item = (&String, &Vec<String>)> {
        self.0.iter().filter(|(name, _)| {
            let name = without_prefix(name).to_ascii_uppercase();
            !name.starts_with("SM_") && !name.starts_with("WEBAGENT-") && name != "SMSSOZONE"
        })
    }
}

fn without_prefix(name: &str) -> &str {
    let prefix = name.get(..5).filter(|prefix| {
        prefix.eq_ignore_ascii_case("HTTP_") || prefix.eq_ignore_ascii_case("HTTP-")
    });
    &name[prefix.map_or(0, str::len)..]
}

#[cfg(test)]
mod tests;
