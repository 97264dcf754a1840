//! The hosts that an agent answers for.

use agent::config::names;

use super::super::draft::{Draft, Kind, origin};
use super::super::source::Setting;
use super::super::table::Settings;
use super::named;

/// The hosts that pass the other agent's check of names, each with the setting it comes from; none if there
/// is no check, which here is any host.
pub(super) fn of_agent(all: &Settings) -> Vec<(String, String)> {
    let (default, mapping) = (named("fqdn.default"), named("fqdn.mapping"));
    let checked = all.is_on(&named("fqdn.check.enable"), true);
    // Without a default, nothing says which hosts the mapping is an addition to.
    if !checked
        || all
            .value(&default)
            .is_none_or(|host| names::host(host).is_err())
    {
        return Vec::new();
    }
    let mut hosts: Vec<(String, String)> = Vec::new();
    for setting in all.all(&default).chain(all.all(&mapping)) {
        if let Ok(host) = names::host(&setting.value)
            && hosts.iter().all(|(known, _)| *known != host)
        {
            hosts.push((host, origin(setting)));
        }
    }
    hosts
}

pub(super) fn default_host(all: &Settings, setting: &Setting, draft: &mut Draft) {
    if !all.is_on(&named("fqdn.check.enable"), true) {
        draft.leave(
            Kind::Nothing,
            setting,
            "the check is off, so any host is answered for",
        );
    } else if names::host(&setting.value).is_ok() {
        draft.taken += 1;
    } else {
        let reason =
            "not the name of a host: write it in hosts of each realm, or any host is answered for";
        draft.leave(Kind::Weaker, setting, reason);
    }
}

/// Requests for the key were sent to the value.
pub(super) fn mapping(all: &Settings, setting: &Setting, draft: &mut Draft) {
    if of_agent(all).is_empty() {
        return draft.leave(Kind::Nothing, setting, "any host is answered for");
    }
    match names::host(&setting.value) {
        Ok(_) => draft.taken += 1,
        Err(_) => draft.leave(
            Kind::Closed,
            setting,
            "not the name of one host, so such hosts are refused: write each in hosts of a realm",
        ),
    }
    let key = setting.index.as_deref().unwrap_or_default();
    if !key.eq_ignore_ascii_case(&setting.value) {
        draft.leave_part(
            Kind::Closed,
            setting,
            key,
            "requests for this host are refused, not sent elsewhere: let DNS or a load balancer do it",
        );
    }
}
