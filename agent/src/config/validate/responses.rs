//! Checks `[[realms.responses]]`.

use http::HeaderValue;

use super::names::{self, HeaderNames};
use crate::config::file::realms as file;
use crate::config::report::Spot;
use crate::config::{Response, ResponseKind, ResponseValue};
use crate::http::cookies;

/// The responses of a realm. Inherited ones have no `spot`: what is wrong with them is said where they are
/// written.
pub(super) fn responses<'z>(
    responses: &[file::Response],
    zones: impl Iterator<Item = &'z String>,
    headers: &mut HeaderNames,
    spot: Option<&Spot<'_>>,
) -> Option<Vec<Response>> {
    let session_cookies: Vec<String> = zones.map(|zone| format!("{zone}SESSION")).collect();
    let mut checked: Vec<Option<Response>> = Vec::new();
    for (index, file) in responses.iter().enumerate() {
        let spot = spot.map(|spot| spot.index(index));
        let response = response(file, &session_cookies, headers, spot.as_ref());
        let twice = response.as_ref().is_some_and(|new| {
            checked
                .iter()
                .flatten()
                .any(|response| response.kind == new.kind)
        });
        if twice {
            say(spot.as_ref(), |spot| {
                spot.problem("this header or cookie is set before")
            });
        }
        checked.push(response.filter(|_| !twice));
    }
    checked.into_iter().collect()
}

fn response(
    file: &file::Response,
    session_cookies: &[String],
    headers: &mut HeaderNames,
    spot: Option<&Spot<'_>>,
) -> Option<Response> {
    let kind = match (&file.header, &file.cookie) {
        (Some(name), None) => match spot {
            Some(spot) => headers.add(name, &spot.key("header")),
            None => name.parse().ok(),
        }
        .map(ResponseKind::Header),
        (None, Some(name)) => cookie(name, session_cookies, spot).map(ResponseKind::Cookie),
        _ => {
            say(spot, |spot| {
                spot.problem("needs either `header` or `cookie`")
            });
            None
        }
    };
    let is_cookie = file.cookie.is_some();
    let value = match (&file.value, &file.attribute) {
        (Some(value), None) if fits(value, is_cookie) => Some(ResponseValue::Static(value.clone())),
        (Some(_), None) => {
            let what = if is_cookie {
                "not a cookie's value"
            } else {
                "not a header's value"
            };
            say(spot, |spot| spot.key("value").problem(what));
            None
        }
        (None, Some(attribute)) if !attribute.is_empty() => {
            Some(ResponseValue::Attribute(attribute.clone()))
        }
        (None, Some(_)) => {
            say(spot, |spot| {
                spot.key("attribute").problem("must not be empty")
            });
            None
        }
        _ => {
            say(spot, |spot| {
                spot.problem("needs either `value` or `attribute`")
            });
            None
        }
    };
    Some(Response {
        kind: kind?,
        value: value?,
    })
}

fn cookie(name: &str, session_cookies: &[String], spot: Option<&Spot<'_>>) -> Option<String> {
    let what = if session_cookies
        .iter()
        .any(|session| session.eq_ignore_ascii_case(name))
    {
        "this is the session cookie"
    } else if !names::is_token(name) {
        "not a cookie name"
    } else {
        return Some(name.to_owned());
    };
    say(spot, |spot| spot.key("cookie").problem(what));
    None
}

/// Whether a static value can be sent.
fn fits(value: &str, is_cookie: bool) -> bool {
    if is_cookie {
        cookies::is_value(value)
    } else {
        HeaderValue::from_str(value).is_ok()
    }
}

fn say(spot: Option<&Spot<'_>>, problem: impl FnOnce(&Spot<'_>)) {
    if let Some(spot) = spot {
        problem(spot);
    }
}
