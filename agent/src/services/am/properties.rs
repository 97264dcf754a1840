//! Properties of sessions: what applications have noted, and what is known of every session anyway.

use std::collections::{BTreeMap, BTreeSet};

use policy_protocol::session_service::{SessionOperation, SessionServiceAnswer};
use policy_protocol::sessions::PropertyChanges;

use super::ask::Ask;
use super::caller::Live;
use super::error::Refusal;
use crate::config::services::{Am, AmProperty};
use crate::services::core::Unavailable;

/// All that may be read of a session.
pub(super) fn readable(service: &Am, live: &Live) -> BTreeMap<String, String> {
    with_known(service, live, &live.session().properties)
}

fn with_known(
    service: &Am,
    live: &Live,
    noted: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut properties = listed(&live.property_names, noted);
    let known = service.properties.iter();
    properties.extend(known.map(|property| (property.name().to_owned(), value(*property, live))));
    properties
}

/// The properties that may be noted: empty where nothing is, and without what may be noted no more. What is known of the
/// session is never what somebody has noted under the same name.
fn listed(names: &BTreeSet<String>, noted: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let names = names.iter().filter(|name| !is_known(name));
    names
        .map(|name| (name.clone(), noted.get(name).cloned().unwrap_or_default()))
        .collect()
}

fn is_known(name: &str) -> bool {
    AmProperty::ALL
        .iter()
        .any(|property| property.name() == name)
}

fn value(property: AmProperty, live: &Live) -> String {
    let session = live.session();
    let identity = &session.identity;
    match property {
        AmProperty::AmCtxId => session.id.to_string(),
        AmProperty::AuthLevel => session.protection_level.0.to_string(),
        AmProperty::Host => session
            .client_address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        AmProperty::Principal => identity.user_dn.clone(),
        AmProperty::UserId | AmProperty::UserToken => identity.user_name.clone(),
        AmProperty::AuthInstant => session.started.to_string(),
        AmProperty::UniversalIdentifier => identity.universal_id.clone(),
    }
}

/// The properties that a call names, or all that may be read if it names none.
///
/// # Errors
/// If one may not be read.
pub(super) fn named(ask: &Ask<'_>, live: &Live) -> Result<BTreeMap<String, String>, Refusal> {
    let mut readable = readable(ask.service, live);
    if ask.body.member("properties").is_none() {
        return Ok(readable);
    }
    let names = names(ask)?;
    let found = names.into_iter().map(|name| {
        let value = readable.remove(name).ok_or_else(Refusal::forbidden)?;
        Ok((name.to_owned(), value))
    });
    found.collect()
}

/// The names in `{"properties": [...]}`.
///
/// # Errors
/// If they are not there.
pub(super) fn names<'a>(ask: &'a Ask<'_>) -> Result<Vec<&'a str>, Refusal> {
    let names = ask.body.texts("properties");
    names.ok_or_else(|| Refusal::bad_request("\"properties\" is not an array of names"))
}

/// The changes that the body's members are; a token among them is none.
///
/// # Errors
/// If there is none, or one is no text.
pub(super) fn changes(ask: &Ask<'_>) -> Result<PropertyChanges, Refusal> {
    let members = ask.body.object().into_iter().flatten();
    let members = members.filter(|(name, _)| *name != "tokenId");
    let changes: Option<PropertyChanges> = members
        .map(|(name, value)| Some((name.clone(), Some(value.as_str()?.to_owned()))))
        .collect();
    match changes {
        None => Err(Refusal::bad_request(
            "The value of a property is not a string",
        )),
        Some(changes) if changes.is_empty() => {
            Err(Refusal::bad_request("No properties were provided"))
        }
        Some(changes) => Ok(changes),
    }
}

/// Changes properties, all or none, and returns what may then be read. `None` if the session has ended.
///
/// # Errors
/// If one may not be changed.
pub(super) async fn change(
    ask: &Ask<'_>,
    live: &Live,
    changes: PropertyChanges,
) -> Result<Option<BTreeMap<String, String>>, Refusal> {
    if changes.keys().any(|name| is_known(name)) {
        return Err(Refusal::forbidden());
    }
    let operation = SessionOperation::SetProperties { changes };
    match ask.core.ask(&live.shown, operation).await? {
        SessionServiceAnswer::Properties { properties } => {
            Ok(Some(with_known(ask.service, live, &properties)))
        }
        SessionServiceAnswer::No { .. } => Ok(None),
        SessionServiceAnswer::PropertyNotAllowed => Err(Refusal::forbidden()),
        SessionServiceAnswer::PropertyTooLong => {
            Err(Refusal::bad_request("The value of a property is too long"))
        }
        _ => Err(Unavailable.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_decides_and_not_what_is_noted() {
        let names = ["color", "size", "AuthLevel"].map(str::to_owned);
        let noted = [("color", "red"), ("old", "x"), ("AuthLevel", "100")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = [("color", "red"), ("size", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(listed(&names.into(), &noted.into()), expected.into());
    }
}
