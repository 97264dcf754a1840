//! Where a policy wants the browser to go.

use std::sync::Arc;

use http::{Method, Uri};
use policy_protocol::redirect::is_redirect;

use crate::access::Visit;
use crate::http::target::RequestTarget;

/// A redirect, if browsers can follow it. The policy server has checked it, too; what goes
/// into our answers is checked by us.
pub(super) fn checked(redirect: String) -> Option<Arc<str>> {
    if !is_redirect(&redirect) {
        tracing::warn!("a policy's redirect is not an address, so what it allows is refused");
        return None;
    }
    Some(redirect.into())
}

/// Whether a redirect leads to the resource that is asked for: whoever is there has arrived. The query does
/// not count, as it does not for the decision.
pub(super) fn leads_here(visit: &Visit<'_>, location: &str) -> bool {
    leads_to(visit.target, visit.origin.https, location)
}

fn leads_to(here: &RequestTarget, https: bool, location: &str) -> bool {
    let Ok(uri) = Uri::try_from(location) else {
        return false;
    };
    if let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) {
        let default_port = if https { 443 } else { 80 };
        let port = |named: Option<u16>| named.unwrap_or(default_port);
        if (scheme == "https") != https
            || !host.eq_ignore_ascii_case(here.host())
            || port(uri.port_u16()) != port(here.port())
        {
            return false;
        }
    }
    // Read as it will be read when it comes; what is refused then is no resource of ours.
    RequestTarget::new(here.host().to_owned(), here.port(), &uri, &Method::GET)
        .is_ok_and(|there| there.resource() == here.resource())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(port: Option<u16>, https: bool, path: &'static str, location: &str) -> bool {
        let host = String::from("app.test");
        let uri = Uri::from_static(path);
        let here = RequestTarget::new(host, port, &uri, &Method::POST).unwrap();
        leads_to(&here, https, location)
    }

    #[test]
    fn whoever_is_at_the_resource_has_arrived_however_it_is_written() {
        for location in [
            "/a/b",
            "/a/b?c=d#e",
            "/%61/b",
            "/a;v=1/b",
            "https://app.test/a/b",
            "https://APP.test:443/a/b?c",
        ] {
            assert!(leads(None, true, "/a/b?x=y", location), "{location}");
        }
        assert!(leads(Some(443), true, "/a/b", "https://app.test/a/b"));
        assert!(leads(Some(8443), true, "/a/b", "https://app.test:8443/a/b"));
        assert!(leads(None, false, "/", "http://app.test"));
    }

    #[test]
    fn another_path_host_port_or_scheme_is_elsewhere() {
        for location in [
            "/a",
            "/a/b/",
            "/a/b/c",
            "/A/b",
            "/a/%2e%2e/a/b",
            "http://app.test/a/b",
            "https://app.test:8443/a/b",
            "https://app.test.evil/a/b",
            "https://www.app.test/a/b",
        ] {
            assert!(!leads(None, true, "/a/b", location), "{location}");
        }
        assert!(!leads(Some(8443), true, "/a/b", "https://app.test/a/b"));
    }

    #[test]
    fn what_is_no_address_is_not_followed() {
        assert_eq!(checked(String::from("/a")).as_deref(), Some("/a"));
        for bad in ["//evil.test", "/a\r\nX: y", "javascript:x", ""] {
            assert_eq!(checked(String::from(bad)), None, "{bad:?}");
        }
    }
}
