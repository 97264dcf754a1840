//! From what an operator wrote to policies that can be evaluated, with every mistake at once.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::file::{DomainSection, Effect, List, PoliciesFile, RealmSection, RuleSection, Text};
use super::matching::{HostPattern, Prefix};
use super::{Domain, PolicySet, Realm, Rule};
use crate::config::{Problem, Problems, duration, parse_toml};

mod policy;
mod response;

/// The longest name, in bytes. Names stand in logs and explanations.
const MAX_NAME_LENGTH: usize = 128;
/// How long agents keep decisions unless a policy says otherwise.
const DEFAULT_TTL: Duration = Duration::from_secs(300);
/// An hour. A change of groups takes at least this long to be seen at the latest.
const MAX_TTL: Duration = Duration::from_secs(3600);

/// Reads a policies file. `directories` are the names of the user directories there are.
pub(super) fn read(text: &str, file: &str, directories: &[String]) -> Result<PolicySet, Problems> {
    let sections = parse_toml::<PoliciesFile>(text, file)?.domains;
    let mut reader = Reader {
        text,
        file,
        directories,
        problems: Vec::new(),
    };
    let names = sections.iter().map(|section| &section.name);
    reader.unique("domains", "domain", names);
    let domains = sections.iter().map(|section| reader.domain(section));
    let set = PolicySet {
        domains: domains.collect(),
    };
    reader.problems.sort_by_key(|problem| problem.place);
    Problems::check(reader.problems, set)
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    directories: &'a [String],
    problems: Vec<Problem>,
}

/// The names that may be referred to within a domain. What stands at an index here stands at the same one
/// in the [`Domain`].
struct Names<'d> {
    realms: Vec<&'d str>,
    rules: Vec<&'d str>,
    responses: Vec<&'d str>,
    allowing: Vec<bool>,
}

impl Reader<'_> {
    fn report(&mut self, place: Range<usize>, key: &str, message: &str) {
        let problem = Problem::at(self.file, self.text, &place, key, message);
        self.problems.push(problem);
    }

    fn domain(&mut self, section: &DomainSection) -> Domain {
        let name = section.name.get_ref();
        let key = format!("domains.{}", name.escape_debug());
        let realms = section.realms.iter().map(|realm| &realm.name);
        self.unique(&format!("{key}.realms"), "realm", realms.clone());
        let rules = section.rules.iter().map(|rule| &rule.name);
        self.unique(&format!("{key}.rules"), "rule", rules.clone());
        let responses = section.responses.iter().map(|response| &response.name);
        self.unique(&format!("{key}.responses"), "response", responses.clone());
        let policies = section.policies.iter().map(|policy| &policy.name);
        self.unique(&format!("{key}.policies"), "policy", policies);
        let allowing = section
            .rules
            .iter()
            .map(|rule| rule.effect == Effect::Allow);
        let names = Names {
            realms: realms.map(|name| name.get_ref().as_str()).collect(),
            rules: rules.map(|name| name.get_ref().as_str()).collect(),
            responses: responses.map(|name| name.get_ref().as_str()).collect(),
            allowing: allowing.collect(),
        };
        let realms: Vec<_> = section
            .realms
            .iter()
            .map(|realm| self.realm(&key, realm))
            .collect();
        let rules = section.rules.iter();
        let rules = rules.map(|rule| self.rule(&key, rule, &names, &realms));
        let rules = rules.collect();
        let responses = section.responses.iter();
        let responses = responses.map(|response| self.response(&key, response));
        let responses = responses.flatten().collect();
        let policies = section.policies.iter();
        let policies = policies.map(|policy| self.policy(&key, policy, &names));
        let policies = policies.collect();
        Domain {
            name: name.clone(),
            directories: self.directories(&key, section),
            realms,
            rules,
            responses,
            policies,
        }
    }

    fn directories(&mut self, key: &str, section: &DomainSection) -> Vec<String> {
        let key = format!("{key}.directories");
        let directories = self.words(section.directories.as_ref(), &key);
        for directory in section.directories.iter().flat_map(Spanned::get_ref) {
            if !self.directories.contains(directory.get_ref()) {
                let known = self.directories.join(", ");
                let message = format!("there is no such user directory; there is {known}");
                self.report(directory.span(), &key, &message);
            }
        }
        directories
    }

    fn realm(&mut self, domain: &str, section: &RealmSection) -> Realm {
        let key = format!("{domain}.realms.{}", section.name.get_ref().escape_debug());
        let resource = self.path(&section.resource, &format!("{key}.resource"));
        let hosts_key = format!("{key}.hosts");
        self.not_empty(section.hosts.as_ref(), &hosts_key);
        let mut hosts = Vec::new();
        for host in section.hosts.iter().flat_map(Spanned::get_ref) {
            match HostPattern::parse(host.get_ref()) {
                Some(pattern) => hosts.push(pattern),
                None => {
                    let rule = "must be a host name without a port, *.name or *";
                    self.report(host.span(), &hosts_key, rule);
                }
            }
        }
        if section.hosts.is_none() {
            hosts.push(HostPattern::Any);
        }
        Realm {
            name: section.name.get_ref().clone(),
            hosts,
            prefix: Prefix::new(resource),
        }
    }

    fn rule(
        &mut self,
        domain: &str,
        section: &RuleSection,
        names: &Names<'_>,
        realms: &[Realm],
    ) -> Rule {
        let key = format!("{domain}.rules.{}", section.name.get_ref().escape_debug());
        let realm = self.place_of(
            &section.realm,
            &format!("{key}.realm"),
            &names.realms,
            "realm",
        );
        let realm_prefix = realms.get(realm).map(|realm| &realm.prefix);
        let rest = match &section.resource {
            Some(resource) => self.path(resource, &format!("{key}.resource")),
            None => "/",
        };
        let actions_key = format!("{key}.actions");
        let actions = self.words(section.actions.as_ref(), &actions_key);
        for action in section.actions.iter().flat_map(Spanned::get_ref) {
            let text = action.get_ref();
            // Methods are case-sensitive: "get" would never match and a denial would do nothing.
            if http::Method::from_bytes(text.as_bytes()).is_err() || *text != text.to_uppercase() {
                let rule = "must be an HTTP method in capitals";
                self.report(action.span(), &actions_key, rule);
            }
        }
        Rule {
            name: section.name.get_ref().clone(),
            realm,
            prefix: realm_prefix.map_or_else(|| Prefix::new(rest), |prefix| prefix.join(rest)),
            actions,
            deny: section.effect == Effect::Deny,
        }
    }

    /// A path as agents ask about it. One that is written in another way would never match, and a denial
    /// of it would do nothing.
    fn path<'t>(&mut self, text: &'t Text, key: &str) -> &'t str {
        let path = text.get_ref();
        let segments = path.strip_prefix('/').unwrap_or(path);
        let segments = segments.strip_suffix('/').unwrap_or(segments);
        let odd = |segment: &str| matches!(segment, "" | "." | "..");
        let characters = |character: char| {
            character.is_control() || matches!(character, '?' | '#' | '*' | '%' | ';' | '\\')
        };
        let is_odd = !segments.is_empty() && segments.split('/').any(odd);
        if !path.starts_with('/') || is_odd || path.contains(characters) {
            let rule = "must be a path that starts with /, decoded, without empty or dotted segments, and \
                        without any of ; ? # * \\";
            self.report(text.span(), key, rule);
        }
        path
    }

    /// Names that are said once each, and are fit to be said.
    fn unique<'n>(&mut self, key: &str, noun: &str, names: impl Iterator<Item = &'n Text>) {
        let mut seen = BTreeSet::new();
        for name in names {
            let text = name.get_ref();
            let key = format!("{key}.{}", text.escape_debug());
            if text.is_empty() || text.len() > MAX_NAME_LENGTH || text.chars().any(char::is_control)
            {
                let rule = format!(
                    "must be 1 to {MAX_NAME_LENGTH} bytes long, without control characters"
                );
                self.report(name.span(), &key, &rule);
            }
            if !seen.insert(text) {
                let message = format!("there is another {noun} of this name");
                self.report(name.span(), &key, &message);
            }
        }
    }

    /// Where a name stands among `names`; nowhere in particular once that is reported.
    fn place_of(&mut self, name: &Text, key: &str, names: &[&str], noun: &str) -> usize {
        let place = names.iter().position(|known| known == name.get_ref());
        place.unwrap_or_else(|| {
            self.report(name.span(), key, &format!("this domain has no such {noun}"));
            usize::MAX
        })
    }

    fn not_empty<T>(&mut self, list: Option<&List<T>>, key: &str) {
        if let Some(list) = list.filter(|list| list.get_ref().is_empty()) {
            let message = "is an empty list; leave it out if it is not to matter";
            self.report(list.span(), key, message);
        }
    }

    /// The words of a list, none of them empty; no words if it is not given.
    fn words(&mut self, list: Option<&List>, key: &str) -> Vec<String> {
        self.not_empty(list, key);
        let mut words = Vec::new();
        for word in list.into_iter().flat_map(Spanned::get_ref) {
            if word.get_ref().trim().is_empty() {
                self.report(word.span(), key, "is empty");
            }
            words.push(word.get_ref().clone());
        }
        words
    }

    fn ttl(&mut self, text: &Text, key: &str) -> Duration {
        let ttl = duration::parse(text.get_ref()).filter(|ttl| *ttl <= MAX_TTL);
        ttl.unwrap_or_else(|| {
            let rule = "must be a number and a unit, such as 30s or 5m, and at most 1h";
            self.report(text.span(), &format!("{key}.ttl"), rule);
            DEFAULT_TTL
        })
    }
}
