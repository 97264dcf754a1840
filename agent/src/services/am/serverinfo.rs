//! `serverinfo`: what clients want to know before they log in.

use http::{Method, StatusCode};

use super::ask::Ask;
use super::caller;
use super::error::{Refusal, repeated};
use super::json::{Json, object};
use super::respond::Reply;

/// The version whose API this is. Clients choose what they ask for by it.
const API_OF: &str = "8.0.1";

pub(super) async fn answer(ask: &Ask<'_>, id: Option<&str>) -> Result<Reply, Refusal> {
    if ask.method != Method::GET {
        return Err(ask.unsupported());
    }
    let fields = ask.fields()?;
    let members = match id {
        Some("*") => information(ask),
        Some("cookieDomains") => {
            return Ok(object! { "domains": domains(ask) }.only(&fields).into());
        }
        Some("version") => {
            let no_session = || Refusal::new(StatusCode::FORBIDDEN, "No session for request.");
            caller::caller(ask)
                .await
                .map_err(|refusal| match refusal.status {
                    StatusCode::UNAUTHORIZED => no_session(),
                    _ => refusal,
                })?;
            version()
        }
        Some(other) => {
            let message = format!("ResourceId not supported: {}", repeated(other));
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, message));
        }
        None => return Err(Refusal::no_operation()),
    };
    Ok(Reply::resource(id.unwrap_or_default(), members, &fields))
}

fn domains(ask: &Ask<'_>) -> Vec<String> {
    let domain = &ask.core.visit.site.config.session.cookie_domain;
    domain.iter().cloned().collect()
}

fn information(ask: &Ask<'_>) -> Json {
    let none = || Json::Array(Vec::new());
    object! {
        "domains": domains(ask),
        "protectedUserAttributes": none(),
        "cookieName": ask.service.cookie_name.as_str(),
        "secureCookie": true,
        "cookieHttpOnly": true,
        "cookieSameSite": ask.core.visit.site.cookies.same_site(),
        "forgotPassword": "false",
        "forgotUsername": "false",
        "kbaEnabled": "false",
        "selfRegistration": "false",
        "lang": "en-US",
        "successfulUserRegistrationDestination": "default",
        "socialImplementations": none(),
        "referralsEnabled": "false",
        "zeroPageLogin": object! {
            "enabled": true,
            "refererWhitelist": none(),
            "allowedWithoutReferer": true,
        },
        "realm": ask.realm_name.as_str(),
        "xuiUserSessionValidationEnabled": false,
        "fileBasedConfiguration": true,
        "userIdAttributes": none(),
        "nodeDesignerXuiEnabled": false,
    }
}

fn version() -> Json {
    let own = env!("CARGO_PKG_VERSION");
    object! {
        "version": API_OF,
        "fullVersion": format!("Doorward {own}, sessions as of {API_OF}"),
        "revision": own,
        "date": "",
    }
}
