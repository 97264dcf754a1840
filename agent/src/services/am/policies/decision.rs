//! What is said of one resource.

use std::time::Duration;

use http::{Method, Uri};
use policy_protocol::{Reason, Timestamp};

use crate::access::Denial;
use crate::config::Realm;
use crate::http::target::{RequestTarget, parse_host};
use crate::services::am::authenticate::advices;
use crate::services::am::error::Refusal;
use crate::services::am::json::{Json, object};
use crate::services::core::{Core, Verdict};

/// The methods that are decided, one by one.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::HEAD,
    Method::OPTIONS,
];

/// Decides for every method. No action at all means that nothing is known of the resource, or that the session is
/// not strong enough; either is a refusal.
///
/// # Errors
/// If the session ends meanwhile, or the policy server gives no answer.
pub(super) async fn decide(
    core: &Core<'_>,
    own_realm: &Realm,
    token: &[u8],
    resource: &str,
) -> Result<Json, Refusal> {
    let now = core.visit.now;
    let mut actions = Vec::new();
    let mut advices = Vec::new();
    let mut until = now.plus(own_realm.validation_period);
    for method in METHODS {
        let Some(target) = target(resource, &method) else {
            break;
        };
        if let Ok(realm) = core.visit.site.realms.realm(&target) {
            until = until.min(now.plus(kept_for(realm)));
        }
        let allowed = match core.decide(token, &target).await? {
            Verdict::NotProtected => true,
            Verdict::Granted { session, .. } => {
                let state = session.state();
                until = until.min(state.started.plus(state.max_timeout));
                true
            }
            Verdict::Denied(Denial::Challenge { realm, reason }) => {
                if reason != Reason::AUTH_LEVEL_TOO_LOW {
                    return Err(Refusal::bad_request("Invalid value subject"));
                }
                let level = vec![realm.level.0.to_string()];
                advices = vec![(advices::LEVEL.into(), Json::from(level))];
                actions.clear();
                break;
            }
            Verdict::Denied(Denial::NotFound | Denial::BadRequest(_)) => break,
            Verdict::Denied(_) => false,
        };
        actions.push((method.as_str().to_owned().into(), Json::from(allowed)));
    }
    Ok(object! {
        "resource": resource,
        "actions": Json::Object(actions),
        "attributes": Json::Object(Vec::new()),
        "advices": Json::Object(advices),
        "ttl": milliseconds(until),
    })
}

/// A resource as the gateway would read it in a request.
fn target(resource: &str, method: &Method) -> Option<RequestTarget> {
    let uri: Uri = resource.parse().ok()?;
    let scheme = uri.scheme_str()?;
    let known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let (host, port) = parse_host(uri.authority()?.as_str()).filter(|_| known)?;
    RequestTarget::new(host, port, &uri, method).ok()
}

/// How long a decision may be kept. Of one by policies only the policy server knows that, and it may be no time
/// at all.
const fn kept_for(realm: &Realm) -> Duration {
    if realm.authorize {
        Duration::ZERO
    } else {
        realm.validation_period
    }
}

const fn milliseconds(time: Timestamp) -> u64 {
    time.0.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_addresses_as_the_gateway_reads_them() {
        let read = |resource| {
            let target = target(resource, &Method::GET)?;
            Some((target.host().to_owned(), target.resource().to_owned()))
        };
        for (resource, host, path) in [
            ("http://a/", "a", "/"),
            ("http://a", "a", "/"),
            (
                "https://App.Example.COM:443/x/%61?y=1",
                "app.example.com",
                "/x/a",
            ),
        ] {
            assert_eq!(
                read(resource),
                Some((host.into(), path.into())),
                "{resource}"
            );
        }
        for resource in [
            "",
            "/x",
            "a",
            "ftp://a/",
            "http://u@a/",
            "http://a/../b",
            "http://a/x/..;/y",
            "http://a//b",
            "http://a/%2e%2e/b",
            "http:///x",
            "http://a/\u{e9}\u{0}",
        ] {
            assert_eq!(read(resource), None, "{resource}");
        }
    }
}
