//! Checks `[[realms]]`, after inheritance.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use policy_protocol::{AuthScheme, ProtectionLevel};

use super::names::{self, HeaderNames};
use super::{positive, responses, rules, unique, whole_seconds};
use crate::access::protection::covers;
use crate::config::Realm;
use crate::config::file::{self, File};
use crate::config::realm_inheritance::{hosts, inherit};
use crate::config::report::Spot;
use crate::config::spelling;

/// All realms.
pub(super) fn realms(
    file: &File,
    headers: &mut HeaderNames,
    root: &Spot<'_>,
) -> Option<Vec<Arc<Realm>>> {
    let spot = root.key("realms");
    let names = file.realms.iter().enumerate();
    let names = names
        .filter_map(|(index, each)| Some((each.name.as_deref()?, spot.index(index).key("name"))));
    let sound = unique(names, "the name");
    let complete = inherit(&file.realms);
    let mut seen = HashSet::new();
    let checked: Vec<Option<Arc<Realm>>> = file
        .realms
        .iter()
        .zip(&complete)
        .enumerate()
        .map(|(index, (own, complete))| {
            Check {
                file,
                own,
                complete,
                spot: spot.index(index),
            }
            .realm(&mut seen, headers)
        })
        .collect();
    let realms = checked.into_iter().collect::<Option<Vec<_>>>()?;
    warn_of_weak_realms(&realms, &spot);
    sound.then_some(realms)
}

/// A session of an equal or higher level opens a realm, however it was made.
fn warn_of_weak_realms(realms: &[Arc<Realm>], spot: &Spot<'_>) {
    let asks = |realm: &Realm, scheme| realm.scheme == scheme;
    let by_password = realms
        .iter()
        .filter(|realm| asks(realm, AuthScheme::Form) || asks(realm, AuthScheme::Basic));
    let Some(strongest) = by_password.map(|realm| realm.level).max() else {
        return;
    };
    for (index, realm) in realms.iter().enumerate() {
        let more = asks(realm, AuthScheme::Certificate) || asks(realm, AuthScheme::Totp);
        if more && realm.level <= strongest {
            spot.index(index).warn(
                "a session made with a password opens it: give it a protection_level above theirs",
            );
        }
    }
}

/// One realm under check.
struct Check<'r> {
    file: &'r File,
    /// As written: only what is written here can be wrong here.
    own: &'r file::realms::Realm,
    /// With what it inherits.
    complete: &'r file::realms::Realm,
    spot: Spot<'r>,
}

impl Check<'_> {
    fn realm(
        &self,
        seen: &mut HashSet<(String, String)>,
        headers: &mut HeaderNames,
    ) -> Option<Arc<Realm>> {
        let resource = self.resource();
        let hosts = self.hosts(resource.as_deref(), seen);
        let upstream = self.upstream();
        let scheme = self.scheme();
        let times = self.times();
        let ignore_paths = self.ignore_paths(resource.as_deref());
        let ignore_extensions = self.ignore_extensions();
        // Inherited rules and responses are checked where they are written.
        let (own_rules, own_responses) = (self.own.rules.is_some(), self.own.responses.is_some());
        let at_rules = own_rules.then(|| self.spot.key("rules"));
        let rules = rules::rules(
            self.complete.rules.as_deref()?,
            resource.as_deref(),
            at_rules.as_ref(),
        );
        let at_responses = own_responses.then(|| self.spot.key("responses"));
        let zones =
            std::iter::once(&self.file.session.zone).chain(&self.file.session.trusted_zones);
        let responses = responses::responses(
            self.complete.responses.as_deref()?,
            zones,
            headers,
            at_responses.as_ref(),
        );
        let (idle_timeout, max_timeout, validation_period) = times?;
        Some(Arc::new(Realm {
            name: self.own.name.clone()?,
            hosts: hosts?,
            resource: resource?,
            upstream: upstream?,
            scheme: scheme?,
            level: ProtectionLevel(self.complete.protection_level?),
            idle_timeout,
            max_timeout,
            validation_period,
            persistent: self.complete.persistent?,
            methods: self
                .complete
                .methods
                .iter()
                .flatten()
                .map(|method| method.0.clone())
                .collect(),
            rules: rules?,
            authorize: self.complete.authorize?,
            responses: responses?,
            ignore_paths: ignore_paths?,
            ignore_extensions: ignore_extensions?,
            redirect_scripts: self.complete.redirect_scripts?,
        }))
    }

    fn resource(&self) -> Option<String> {
        let spot = self.spot.key("resource");
        let resource = names::resource(self.own.resource.as_deref()?);
        let resource = resource.map_err(|what| spot.problem(what)).ok()?;
        let login = &self.file.login.path;
        if login != "/" && covers(login, &resource) {
            spot.problem_with_hint(
                "the login pages are served here",
                "change `login.path` or this resource",
            );
            return None;
        }
        Some(resource)
    }

    fn hosts(
        &self,
        resource: Option<&str>,
        seen: &mut HashSet<(String, String)>,
    ) -> Option<Vec<String>> {
        let mut sound = true;
        let mut checked = Vec::new();
        for (index, host) in hosts(self.complete).enumerate() {
            let spot = self.spot.key("hosts").index(index);
            let host = match host.as_str() {
                "*" => Ok(host),
                name => names::host(name),
            };
            match host {
                Ok(host) => {
                    sound &= self.is_covered_by_cookie_domain(&host, &spot);
                    let lower = resource.unwrap_or_default().to_ascii_lowercase();
                    if resource.is_some() && !seen.insert((host.clone(), lower)) {
                        spot.problem("this host and resource (in whatever case) are listed before");
                        sound = false;
                    }
                    checked.push(host);
                }
                Err(what) => {
                    spot.problem(what);
                    sound = false;
                }
            }
        }
        sound.then_some(checked)
    }

    /// A browser drops a cookie for a domain that its host is not part of, and the user would log in for ever.
    fn is_covered_by_cookie_domain(&self, host: &str, spot: &Spot<'_>) -> bool {
        let domain = self
            .file
            .session
            .cookie_domain
            .as_deref()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let domain = domain.trim_start_matches('.');
        let open = self.complete.scheme == Some(AuthScheme::None);
        let inside = host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        if domain.is_empty() || open || host == "*" || inside {
            return true;
        }
        spot.problem("`session.cookie_domain` does not cover this host");
        false
    }

    fn upstream(&self) -> Option<usize> {
        let spot = self.spot.key("upstream");
        let Some(name) = &self.complete.upstream else {
            spot.problem_with_hint(
                "missing, and no realm around this one has it",
                "the name of one of `upstreams`",
            );
            return None;
        };
        let known = &self.file.upstreams;
        let index = known
            .iter()
            .position(|upstream| upstream.name.as_ref() == Some(name));
        // A nameless upstream, reported already, may be the one that is meant.
        if index.is_none()
            && self.own.upstream.is_some()
            && known.iter().all(|upstream| upstream.name.is_some())
        {
            let names: Vec<&str> = known
                .iter()
                .filter_map(|upstream| upstream.name.as_deref())
                .collect();
            match spelling::hint(name, &names) {
                Some(hint) => spot.problem_with_hint("no upstream has this name", hint),
                None => spot.problem("no upstream has this name"),
            }
        }
        index
    }

    fn scheme(&self) -> Option<AuthScheme> {
        let scheme = self.complete.scheme?;
        let asks_for_certificates = self
            .file
            .listeners
            .iter()
            .filter_map(|listener| listener.tls.as_ref());
        let asked = asks_for_certificates
            .into_iter()
            .any(|tls| tls.client_ca_file.is_some());
        if scheme == AuthScheme::Certificate && self.own.scheme.is_some() && !asked {
            self.spot.key("scheme").problem_with_hint(
                "no listener asks for client certificates",
                "set `client_ca_file` in the `tls` of a listener",
            );
            return None;
        }
        let wants_user = [
            (self.own.authorize == Some(true), "authorize"),
            (self.own.persistent == Some(true), "persistent"),
        ];
        for (_, key) in wants_user
            .into_iter()
            .filter(|(set, _)| *set && scheme == AuthScheme::None)
        {
            self.spot
                .key(key)
                .problem("a realm with scheme \"none\" has no users");
        }
        let by_user = |rule: &file::realms::Rule| {
            !(rule.users.is_empty() && rule.groups.is_empty() && rule.attributes.is_empty())
        };
        for (index, _) in self
            .own
            .rules
            .iter()
            .flatten()
            .enumerate()
            .filter(|(_, rule)| by_user(rule))
        {
            if scheme == AuthScheme::None {
                self.spot
                    .key("rules")
                    .index(index)
                    .problem("a realm with scheme \"none\" has no users");
            }
        }
        Some(scheme)
    }

    fn times(&self) -> Option<(Duration, Duration, Duration)> {
        let [idle, max, validation] = [
            (self.complete.idle_timeout, "idle_timeout"),
            (self.complete.max_timeout, "max_timeout"),
            (self.complete.validation_period, "validation_period"),
        ]
        .map(|(span, key)| whole_seconds(span?.0, &self.spot.key(key)));
        let max = positive(max?, &self.spot.key("max_timeout"))?;
        let validation = positive(validation?, &self.spot.key("validation_period"))?;
        let idle = idle?;
        let mut sound = true;
        for (span, key) in [(idle, "idle_timeout"), (validation, "validation_period")] {
            if span > max {
                self.spot
                    .key(key)
                    .problem("must not be longer than `max_timeout`");
                sound = false;
            }
        }
        sound.then_some((idle, max, validation))
    }

    fn ignore_paths(&self, resource: Option<&str>) -> Option<Vec<String>> {
        let paths = self.complete.ignore_paths.as_deref()?;
        if self.own.ignore_paths.is_none() {
            return Some(paths.to_vec());
        }
        let mut sound = true;
        for (index, path) in paths.iter().enumerate() {
            let spot = self.spot.key("ignore_paths").index(index);
            match names::ignored_path(path) {
                Ok(path) if resource.is_some_and(|resource| !covers(resource, path)) => {
                    spot.problem("not in this realm");
                }
                Ok(_) => continue,
                Err(what) => spot.problem(what),
            }
            sound = false;
        }
        sound.then(|| paths.to_vec())
    }

    fn ignore_extensions(&self) -> Option<Vec<String>> {
        let extensions = self.complete.ignore_extensions.as_deref()?;
        let mut sound = true;
        for (index, extension) in extensions.iter().enumerate() {
            let letters = extension.strip_prefix('.').unwrap_or_default();
            let plain = letters
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            if letters.is_empty() || !plain {
                sound = false;
                if self.own.ignore_extensions.is_some() {
                    let spot = self.spot.key("ignore_extensions").index(index);
                    spot.problem_with_hint(
                        "not a file extension",
                        "a dot, letters and digits, such as \".css\"",
                    );
                }
            }
        }
        sound.then(|| extensions.to_vec())
    }
}
