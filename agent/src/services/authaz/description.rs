//! The description of the SOAP interface, for clients that are made from one.
//!
//! What an Access Gateway serves was never published. This one is written from its namespace, from the names in
//! clients that were made from it, and from what is answered here.

use http::{Response, StatusCode};
use quick_xml::escape::escape;

use super::{Core, caller, status};
use crate::config::services::Authaz;
use crate::http::body::Body;
use crate::services::respond;

/// With `ADDRESS` where the address of the service belongs.
const DESCRIPTION: &str = include_str!("auth.wsdl");

/// Whether a query asks for it.
pub(super) fn is_asked_for(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.eq_ignore_ascii_case("wsdl"))
}

/// Tells it to whoever may call the service.
pub(super) async fn answer(core: &Core<'_>, service: &Authaz) -> Response<Body> {
    let (mut response, more) = match caller::admit_to_read(core, service).await {
        Ok(more) => {
            let text = DESCRIPTION.replace("ADDRESS", &escape(address(core)));
            (
                respond::content(StatusCode::OK, "text/xml; charset=utf-8", text),
                more,
            )
        }
        Err(refused) => (status(refused.status), refused.headers),
    };
    response.headers_mut().extend(more);
    response
}

/// By which the client has found the service: that of the very request, without its query.
fn address(core: &Core<'_>) -> String {
    let visit = core.visit;
    let scheme = if visit.origin.https { "https" } else { "http" };
    let (authority, path) = (visit.target.authority(), visit.target.path());
    format!("{scheme}://{authority}{path}")
}

#[cfg(test)]
mod tests;
