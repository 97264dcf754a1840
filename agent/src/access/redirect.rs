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
    let here = visit.target;
    let Ok(uri) = Uri::try_from(location) else {
        return false;
    };
    let default_port = |https: bool| if https { 443 } else { 80 };
    if let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) {
        let https = scheme == "https";
        let port = uri.port_u16().unwrap_or_else(|| default_port(https));
        let here_port = here
            .port()
            .unwrap_or_else(|| default_port(visit.origin.https));
        if https != visit.origin.https
            || !host.eq_ignore_ascii_case(here.host())
            || port != here_port
        {
            return false;
        }
    }
    // Read as it will be read when it comes; what is refused then is no resource of ours.
    RequestTarget::new(here.host().to_owned(), here.port(), &uri, &Method::GET)
        .is_ok_and(|there| there.resource() == here.resource())
}
