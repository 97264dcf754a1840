//! Where policies lead a browser instead.

use http::{Method, Response, header};

use super::challenge::found;
use super::see_other;
use crate::access::{Denial, Visit};
use crate::http::body::Body;

/// Leads the browser where a policy wants it.
///
/// A refusal leads only who navigates: a script gets a refusal it understands, and whoever sends something
/// learns that it was not taken. An accepted request is led elsewhere whoever asks, as it is not forwarded.
///
/// # Errors
/// The refusal, unchanged, if it leads nowhere.
pub fn follow(visit: &Visit<'_>, denial: Denial) -> Result<Response<Body>, Denial> {
    let reads = matches!(*visit.target.method(), Method::GET | Method::HEAD);
    match denial {
        Denial::Forbidden {
            redirect: Some(location),
            ..
        } if reads && !visit.from_script => found(&location),
        Denial::Elsewhere {
            location, cookies, ..
        } => {
            let mut response = if reads {
                found(&location)?
            } else {
                see_other(&location)?
            };
            let cookies = cookies.into_iter();
            response
                .headers_mut()
                .extend(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
            Ok(response)
        }
        other => Err(other),
    }
}
