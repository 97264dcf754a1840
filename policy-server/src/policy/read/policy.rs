//! `[[domains.policies]]`

use std::net::IpAddr;

use ipnet::IpNet;
use policy_protocol::redirect::is_redirect;
use toml::Spanned;

use super::super::Policy;
use super::super::file::{List, PolicySection, Text, TimesSection};
use super::super::members::{Members, UserPattern};
use super::super::schedule::{Days, Schedule, Window, parse_time, zone};
use super::{DEFAULT_TTL, Names, Reader};

impl Reader<'_> {
    pub(super) fn policy(
        &mut self,
        domain: &str,
        section: &PolicySection,
        names: &Names<'_>,
    ) -> Policy {
        let key = format!(
            "{domain}.policies.{}",
            section.name.get_ref().escape_debug()
        );
        let rules = self.places_of(
            Some(&section.rules),
            &format!("{key}.rules"),
            &names.rules,
            "rule",
        );
        let responses = self.places_of(
            section.responses.as_ref(),
            &format!("{key}.responses"),
            &names.responses,
            "response",
        );
        let [on_accept_redirect, on_reject_redirect] = [
            (&section.on_accept_redirect, "on_accept_redirect"),
            (&section.on_reject_redirect, "on_reject_redirect"),
        ]
        .map(|(redirect, name)| self.redirect(redirect.as_ref(), &format!("{key}.{name}")));
        let is_known = |rule: &&usize| **rule < names.rules.len();
        let allows = rules
            .iter()
            .filter(is_known)
            .any(|rule| names.allowing[*rule]);
        if !allows && rules.iter().all(|rule| is_known(&rule)) {
            let only = "is for requests that are allowed, and no rule of this policy allows any";
            for (given, name) in [
                (section.responses.as_ref().map(Spanned::span), "responses"),
                (
                    section.on_accept_redirect.as_ref().map(Spanned::span),
                    "on_accept_redirect",
                ),
            ] {
                if let Some(span) = given {
                    self.report(span, &format!("{key}.{name}"), only);
                }
            }
        }
        Policy {
            name: section.name.get_ref().clone(),
            rules,
            members: self.members(&key, section),
            networks: self.networks(&key, section),
            schedule: self.schedule(&key, section),
            responses,
            ttl: section
                .ttl
                .as_ref()
                .map_or(DEFAULT_TTL, |ttl| self.ttl(ttl, &key)),
            on_accept_redirect,
            on_reject_redirect,
        }
    }

    fn places_of(
        &mut self,
        list: Option<&List>,
        key: &str,
        names: &[&str],
        noun: &str,
    ) -> Vec<usize> {
        self.not_empty(list, key);
        let mut places = Vec::new();
        for name in list.into_iter().flat_map(Spanned::get_ref) {
            let place = self.place_of(name, key, names, noun);
            if place != usize::MAX && places.contains(&place) {
                self.report(name.span(), key, "is listed twice");
            }
            places.push(place);
        }
        places
    }

    fn members(&mut self, key: &str, section: &PolicySection) -> Members {
        let mut words =
            |list: &Option<List>, name: &str| self.words(list.as_ref(), &format!("{key}.{name}"));
        let users = words(&section.users, "users");
        let groups = words(&section.groups, "groups");
        let exclude_users = words(&section.exclude_users, "exclude_users");
        let exclude_groups = words(&section.exclude_groups, "exclude_groups");
        let attributes = section.attributes.iter().map(|(name, values)| {
            let key = format!("{key}.attributes.{}", name.escape_debug());
            (name.clone(), self.words(Some(values), &key))
        });
        let attributes = attributes.collect();
        let patterns =
            |users: Vec<String>| users.iter().map(|user| UserPattern::new(user)).collect();
        Members {
            users: patterns(users),
            groups,
            attributes,
            exclude_users: patterns(exclude_users),
            exclude_groups,
        }
    }

    fn networks(&mut self, key: &str, section: &PolicySection) -> Vec<IpNet> {
        let key = format!("{key}.networks");
        self.not_empty(section.networks.as_ref(), &key);
        let mut networks = Vec::new();
        for text in section.networks.iter().flat_map(Spanned::get_ref) {
            match network(text.get_ref()) {
                Ok(network) => networks.push(network),
                Err(message) => self.report(text.span(), &key, &message),
            }
        }
        networks
    }

    fn schedule(&mut self, key: &str, section: &PolicySection) -> Option<Schedule> {
        let times_key = format!("{key}.times");
        let zone_key = format!("{key}.time_zone");
        self.not_empty(section.times.as_ref(), &times_key);
        let zone = match (&section.times, &section.time_zone) {
            (None, None) => return None,
            (Some(_), Some(name)) => {
                let zone = zone(name.get_ref());
                if zone.is_none() {
                    let rule = "must be the IANA name of a time zone, such as Europe/Berlin";
                    self.report(name.span(), &zone_key, rule);
                }
                zone
            }
            (Some(times), None) => {
                let rule = "times need a time_zone, such as Europe/Berlin";
                self.report(times.span(), &zone_key, rule);
                None
            }
            (None, Some(name)) => {
                self.report(name.span(), &zone_key, "there are no times it would be for");
                None
            }
        };
        let mut windows = Vec::new();
        for times in section.times.iter().flat_map(Spanned::get_ref) {
            windows.extend(self.window(&times_key, times));
        }
        Some(Schedule::new(zone?, windows))
    }

    fn window(&mut self, key: &str, times: &Spanned<TimesSection>) -> Option<Window> {
        let TimesSection { days, from, to } = times.get_ref();
        if days.is_none() && from.is_none() && to.is_none() {
            self.report(times.span(), key, "needs days, from or to");
        }
        let days = match days {
            None => Days::ALL,
            Some(list) => {
                self.not_empty(Some(list), key);
                let names = list.get_ref().iter().map(|day| day.get_ref().as_str());
                Days::parse(names).unwrap_or_else(|_| {
                    let rule = "days are mon, tue, wed, thu, fri, sat and sun";
                    self.report(list.span(), key, rule);
                    Days::ALL
                })
            }
        };
        let mut time = |text: &Option<Text>, otherwise| match text {
            None => Some(otherwise),
            Some(text) => {
                let time = parse_time(text.get_ref());
                if time.is_none() {
                    let rule = "must be a time such as 08:00, and 24:00 at the latest";
                    self.report(text.span(), key, rule);
                }
                time
            }
        };
        let (from, to) = (time(from, 0), time(to, 24 * 60));
        let window = Window::new(days, from?, to?);
        if window.is_none() {
            let message = "ends before it begins; write a night as two, one until 24:00 and one of the \
                           next days";
            self.report(times.span(), key, message);
        }
        window
    }

    fn redirect(&mut self, text: Option<&Text>, key: &str) -> Option<String> {
        let text = text?;
        if !is_redirect(text.get_ref()) {
            let rule = "must be a path that starts with one /, or a whole http or https address";
            self.report(text.span(), key, rule);
        }
        Some(text.get_ref().clone())
    }
}

/// The network that `10.0.0.0/8` means, or the one address that `10.0.0.1` means.
fn network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text
            .parse::<IpNet>()
            .map_err(|_| String::from("must be a network such as 10.0.0.0/8 or 2001:db8::/32"))?,
    };
    if network != network.trunc() {
        return Err(format!(
            "has bits beyond its prefix; {} is the network",
            network.trunc()
        ));
    }
    // Addresses of clients are compared in this form: the other one would never match.
    match network.addr().to_canonical() {
        IpAddr::V4(_) if matches!(network, IpNet::V6(_)) => {
            Err(String::from("is an IPv4 network; write it as one"))
        }
        _ => Ok(network),
    }
}
