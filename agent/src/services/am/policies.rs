//! `policies?_action=evaluate`: what the gateway would say to requests of a user.

mod decision;

use std::net::IpAddr;

use super::ask::Ask;
use super::caller::{self, Live};
use super::error::Refusal;
use super::json::Json;
use super::respond::Reply;
use crate::access::Facts;
use crate::http::client_origin::ClientOrigin;

/// Resources in one call. Each is decided for every method, and each decision may be a call of its own.
const MAX_RESOURCES: usize = 64;

pub(super) async fn answer(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let action = ask.action()?;
    if !action.eq_ignore_ascii_case("evaluate") {
        return Err(Refusal::no_action(action));
    }
    // Deciding is a use of the session, so the caller's cookie alone must be meant to make it.
    let token = caller::token(ask.headers(), ask.service).ok_or_else(Refusal::access_denied)?;
    token.must_be_meant(ask)?;
    let caller = caller::caller(ask).await?;
    let resources = ask
        .body
        .texts("resources")
        .filter(|resources| !resources.is_empty());
    let resources = resources.ok_or_else(|| Refusal::bad_request("Invalid value resources"))?;
    if resources.len() > MAX_RESOURCES {
        return Err(Refusal::bad_request("Invalid value resources"));
    }
    if let Some(application) = ask.body.member("application") {
        let known = application.as_str().is_some_and(|name| {
            ask.service
                .policy_sets
                .iter()
                .any(|policy_set| policy_set == name)
        });
        if !known {
            let message = "DoesNotExist application not found in realm.";
            return Err(Refusal::new(http::StatusCode::NOT_FOUND, message));
        }
    }
    let evaluator = caller.administrator || caller.is_in_one_of(&ask.service.policy_evaluators);
    let visit = ask.core.visit;
    // Who may ask for others may say where those are; of themselves, users may not.
    let address = if evaluator { request_ip(ask)? } else { None };
    let address = address.unwrap_or(visit.origin.address);
    let origin = ClientOrigin::of(address, visit.origin.https);
    let facts = Facts {
        origin: &origin,
        ..visit.facts().clone()
    };
    let visit = facts.with(visit.headers);
    let core = ask.core.for_visit(&visit);
    let text = match subject(ask)? {
        None => token.text,
        Some(text) => {
            let invalid = || Refusal::bad_request("Invalid value subject");
            let live = Live::of(&core, text.as_bytes())
                .await?
                .map_err(|_| invalid())?;
            if !evaluator && !live.is_of_same_user(&caller) {
                return Err(Refusal::forbidden());
            }
            text.as_bytes()
        }
    };
    let mut decisions = Vec::with_capacity(resources.len());
    for resource in resources {
        decisions.push(decision::decide(&core, ask.realm, text, resource).await?);
    }
    Ok(Json::Array(decisions).into())
}

/// The token of the user who is asked about. None for the caller.
fn subject<'a>(ask: &'a Ask<'_>) -> Result<Option<&'a str>, Refusal> {
    let Some(subject) = ask.body.member("subject") else {
        return Ok(None);
    };
    let members = subject.as_object().filter(|members| members.len() == 1);
    let token = members.and_then(|members| members.get("ssoToken")?.as_str());
    match token {
        Some(token) => Ok(Some(token)),
        None => Err(Refusal::bad_request("Invalid value subject")),
    }
}

/// Where the user is, if the caller says so.
fn request_ip(ask: &Ask<'_>) -> Result<Option<IpAddr>, Refusal> {
    let invalid = || Refusal::bad_request("Invalid value environment");
    let Some(environment) = ask.body.member("environment") else {
        return Ok(None);
    };
    let environment = environment.as_object().ok_or_else(invalid)?;
    let Some(addresses) = environment.get("requestIp") else {
        return Ok(None);
    };
    let address = addresses
        .get(0)
        .and_then(|address| address.as_str())
        .ok_or_else(invalid)?;
    address.parse().map(Some).map_err(|_| invalid())
}
