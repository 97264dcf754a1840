//! Checks `[session]` and `[identity]`.

use http::HeaderName;

use super::names::{self, HeaderNames, MAX_ZONE_CHARS};
use super::{positive, unique, whole_seconds};
use crate::access::identity::known_names as identity_headers;
use crate::config::file::session as file;
use crate::config::report::Spot;
use crate::config::spelling;
use crate::config::{AssertionSettings, IdentitySettings, OverlookRule, SameSite, SessionSettings};

/// Cookies and the session cache.
pub(super) fn session(file: &file::Session, spot: &Spot<'_>) -> Option<SessionSettings> {
    let zones = zones(file, spot);
    let cookie_domain = file
        .cookie_domain
        .as_ref()
        .map(|text| cookie_domain(text, &spot.key("cookie_domain")));
    let same_site = match file.same_site {
        file::SameSite::Lax => SameSite::Lax,
        file::SameSite::Strict => SameSite::Strict,
        file::SameSite::None => {
            spot.key("same_site")
                .warn("other sites can make requests in the user's name");
            SameSite::None
        }
    };
    if file.pass_cookie {
        spot.key("pass_cookie")
            .warn("every application can act as its users in all other applications");
    }
    let grace_period = whole_seconds(file.grace_period.0, &spot.key("grace_period"));
    let overlook: Vec<Option<OverlookRule>> = file
        .overlook
        .iter()
        .enumerate()
        .map(|(index, rule)| overlook(rule, &spot.key("overlook").index(index)))
        .collect();
    zones?;
    Some(SessionSettings {
        zone: file.zone.clone(),
        trusted_zones: file.trusted_zones.clone(),
        cookie_domain: match cookie_domain {
            Some(domain) => Some(domain?),
            None => None,
        },
        same_site,
        grace_period: grace_period?,
        check_client_address: file.check_client_address,
        pass_cookie: file.pass_cookie,
        overlook: overlook.into_iter().collect::<Option<_>>()?,
        cache_bytes: file.cache_size.0,
    })
}

fn zones(file: &file::Session, spot: &Spot<'_>) -> Option<()> {
    let trusted = file.trusted_zones.iter().enumerate();
    let all: Vec<(&str, Spot<'_>)> = std::iter::once((file.zone.as_str(), spot.key("zone")))
        .chain(trusted.map(|(index, zone)| (zone.as_str(), spot.key("trusted_zones").index(index))))
        .collect();
    let mut sound = unique(all.iter().cloned(), "the zone");
    for (zone, spot) in all {
        if !names::is_zone(zone) {
            spot.problem_with_hint(
                format!(
                    "not a zone: at most {MAX_ZONE_CHARS} characters that cookie names may have"
                ),
                "letters and digits, such as SM",
            );
            sound = false;
        }
    }
    sound.then_some(())
}

fn cookie_domain(text: &str, spot: &Spot<'_>) -> Option<String> {
    match names::cookie_domain(text) {
        Ok(domain) => {
            spot.warn("every host of the domain receives the session cookie, and can replace it");
            Some(domain)
        }
        Err(what) => {
            spot.problem_with_hint(what, "such as \"example.com\"");
            None
        }
    }
}

fn overlook(file: &file::Overlook, spot: &Spot<'_>) -> Option<OverlookRule> {
    let resource = names::resource(file.resource.as_deref()?);
    let resource = resource
        .map_err(|what| spot.key("resource").problem(what))
        .ok()?;
    Some(OverlookRule {
        methods: file.methods.iter().map(|method| method.0.clone()).collect(),
        resource,
    })
}

/// What applications are told of the user.
pub(super) fn identity(
    file: &file::Identity,
    headers: &mut HeaderNames,
    spot: &Spot<'_>,
) -> Option<IdentitySettings> {
    let omit: Vec<Option<String>> = file
        .omit
        .iter()
        .enumerate()
        .map(|(index, name)| omitted(name, &spot.key("omit").index(index)))
        .collect();
    let managed: Vec<Option<HeaderName>> = file
        .managed_headers
        .iter()
        .enumerate()
        .map(|(index, name)| headers.add(name, &spot.key("managed_headers").index(index)))
        .collect();
    let assertion = file
        .assertion
        .as_ref()
        .map(|settings| assertion(settings, headers, &spot.key("assertion")));
    Some(IdentitySettings {
        hyphens: file.header_style == file::HeaderStyle::Hyphen,
        omit: omit.into_iter().collect::<Option<_>>()?,
        managed: managed.into_iter().collect::<Option<_>>()?,
        assertion: match assertion {
            Some(settings) => Some(settings?),
            None => None,
        },
    })
}

fn omitted(name: &str, spot: &Spot<'_>) -> Option<String> {
    let name = name.to_ascii_uppercase().replace('-', "_");
    let known: Vec<&str> = identity_headers().collect();
    if !known.contains(&name.as_str()) {
        let meant = spelling::closest(&name, known).unwrap_or("SM_USERDN");
        spot.problem_with_hint("not an identity header", format!("such as {meant}"));
        return None;
    }
    Some(name)
}

fn assertion(
    file: &file::Assertion,
    headers: &mut HeaderNames,
    spot: &Spot<'_>,
) -> Option<AssertionSettings> {
    let header = headers.add(&file.header, &spot.key("header"));
    let lifetime = whole_seconds(file.lifetime.0, &spot.key("lifetime"))
        .and_then(|lifetime| positive(lifetime, &spot.key("lifetime")));
    Some(AssertionSettings {
        header: header?,
        issuer: file.issuer.clone()?,
        lifetime: lifetime?,
    })
}
