//! From rules to routes: a host and a path prefix that lead to a server.
//!
//! Rules are tried in order, realms are found by the longest path. What cannot be told apart by host and path
//! is listed. Where the source might have kept requests from applications, they are refused here.

mod destination;

use agent::config::names;

use super::super::draft::{Draft, Kind, Route, Target, quoted};
use super::super::source::Place;
use super::read::{Action, Case, Condition, Pattern, Rule};

/// Which requests come to a rule.
#[derive(Clone, Default)]
struct Scope {
    /// On this host; on any if absent.
    host: Option<String>,
    /// With a path that begins so, as written; with any if absent.
    start: Option<String>,
    /// Without these hosts and starts, which cases above have taken.
    without_hosts: Vec<String>,
    without_starts: Vec<String>,
}

impl Scope {
    fn resource(&self) -> &str {
        let start = self.start.as_deref().unwrap_or("/");
        match start.strip_suffix('/') {
            Some("") | None => start,
            Some(above) => above,
        }
    }

    fn may_be_on(&self, host: &String) -> bool {
        let here = self.host.as_ref().is_none_or(|around| around == host);
        here && !self.without_hosts.contains(host)
    }

    fn name(&self) -> String {
        let host = self.host.as_deref().unwrap_or("any host");
        quoted(&format!("{host} {}", self.resource()))
    }
}

/// Takes over or lists everything from a rule on.
pub(super) fn place(rule: &Rule, draft: &mut Draft) {
    at(Some(rule), &rule.place, &Scope::default(), draft);
}

/// Places a rule, or nothing where a rule is missing.
fn at(rule: Option<&Rule>, place: &Place, scope: &Scope, draft: &mut Draft) {
    let Some(rule) = rule else {
        return close(place, "nothing is said of the rest", scope, draft);
    };
    match &rule.action {
        Action::Forward(address) => match destination::server(address, scope.start.as_deref()) {
            Ok(server) => route(Target::Server(server), &rule.place, "forward", scope, draft),
            Err(why) => close(&rule.place, why, scope, draft),
        },
        Action::Redirect => close(
            &rule.place,
            "a redirect, which no realm makes",
            scope,
            draft,
        ),
        Action::Local => close(&rule.place, "content of the gateway itself", scope, draft),
        Action::Unknown(name) => {
            let why = format!("`{name}` is not known");
            close(&rule.place, &why, scope, draft);
        }
        Action::Patterns(patterns, default) => {
            let default = default.as_deref();
            let others: Vec<bool> = patterns
                .iter()
                .map(|each| list_pattern(each, draft))
                .collect();
            rest(default, &rule.place, others, scope, draft);
        }
        Action::Condition(condition) => match (condition.what.as_str(), condition.how.as_str()) {
            ("host", "equals") => by_host(condition, &rule.place, scope, draft),
            ("uri", "beginswith") => by_path(condition, &rule.place, scope, draft),
            _ => by_other(condition, &rule.place, scope, draft),
        },
    }
}

fn by_host(condition: &Condition, place: &Place, scope: &Scope, draft: &mut Draft) {
    let mut hosts: Vec<String> = Vec::new();
    let mut rest_scope = scope.clone();
    let mut others = Vec::new();
    for case in &condition.cases {
        let weaker = |reason, draft: &mut Draft| {
            list(
                Kind::Weaker,
                &case.place,
                "host",
                &case.value,
                reason,
                draft,
            );
        };
        let name = case
            .value
            .rsplit_once(':')
            .map_or(case.value.as_str(), |(host, port)| {
                let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
                if is_port { host } else { &case.value }
            });
        match names::host(name) {
            Ok(host) if scope.may_be_on(&host) => {
                if hosts.contains(&host) {
                    let reason =
                        "a case for this host is above, and realms do not tell ports apart";
                    weaker(reason, draft);
                    continue;
                }
                let default = condition.default.as_deref();
                if name.len() < case.value.len() && !default.is_some_and(Rule::only_forwards) {
                    let reason = "its port is left out: requests on other ports come here too, and the default may have kept them from applications";
                    weaker(reason, draft);
                }
                let inner = Scope {
                    host: Some(host.clone()),
                    ..scope.clone()
                };
                rest_scope.without_hosts.push(host.clone());
                hosts.push(host);
                at(case.rule.as_ref(), &case.place, &inner, draft);
            }
            Ok(_) => list_never("host", case, draft),
            Err(why) => others.push(list_case("host", case, why, draft)),
        }
    }
    if scope.host.is_some() {
        // Without a case for it, the host gets the default like any other.
        if hosts.is_empty() {
            rest(condition.default.as_deref(), place, others, scope, draft);
        }
        return;
    }
    let before = draft.routes.len();
    rest(
        condition.default.as_deref(),
        place,
        others,
        &rest_scope,
        draft,
    );
    // A longer path on any host is nearer than a shorter one on the host itself, so hosts of their own need
    // those paths too.
    let for_any: Vec<Route> = draft.routes[before..].to_vec();
    for host in &hosts {
        keep_from(host, &for_any, draft);
    }
}

/// Repeats a host's own routes at the paths that others have on any host.
fn keep_from(host: &str, for_any: &[Route], draft: &mut Draft) {
    let own: Vec<Route> = draft
        .routes
        .iter()
        .filter(|route| route.host.as_deref() == Some(host))
        .cloned()
        .collect();
    for other in for_any.iter().filter(|other| other.host.is_none()) {
        let around = own
            .iter()
            .filter(|route| covers(&route.resource, &other.resource));
        let nearest = around.max_by_key(|route| route.resource.len());
        if let Some(nearest) = nearest.filter(|nearest| nearest.resource != other.resource) {
            draft.routes.push(Route {
                resource: other.resource.clone(),
                ..nearest.clone()
            });
        }
    }
}

fn by_path(condition: &Condition, place: &Place, scope: &Scope, draft: &mut Draft) {
    let mut others = Vec::new();
    let mut rest_scope = scope.clone();
    let around = scope.start.as_deref().unwrap_or("/");
    for case in &condition.cases {
        let value = case.value.as_str();
        let start = if value.len() < around.len() {
            around
        } else {
            value
        };
        let taken = rest_scope
            .without_starts
            .iter()
            .any(|earlier| start.starts_with(earlier));
        let inner = Scope {
            start: Some(start.to_owned()),
            ..rest_scope.clone()
        };
        if taken || !value.starts_with(around) && !around.starts_with(value) {
            list_never("uri", case, draft);
        } else if let Err(why) = names::ignored_path(value) {
            others.push(list_case("uri", case, why, draft));
        } else if !covers(scope.resource(), inner.resource()) {
            let why = "not below the path around it in whole segments";
            others.push(list_case("uri", case, why, draft));
        } else {
            rest_scope.without_starts.push(value.to_owned());
            at(case.rule.as_ref(), &case.place, &inner, draft);
            if !value.ends_with('/') {
                beyond_segments(case, draft);
            }
        }
    }
    if rest_scope
        .without_starts
        .iter()
        .any(|value| around.starts_with(value))
    {
        // A case for everything that comes here leaves no rest.
        return;
    }
    rest(
        condition.default.as_deref(),
        place,
        others,
        &rest_scope,
        draft,
    );
}

/// `/app` there is also `/application`.
fn beyond_segments(case: &Case, draft: &mut Draft) {
    let reason =
        "taken over in whole segments: what goes on without a slash goes where the rest goes";
    let kind = if case.only_forwards() {
        Kind::Missing
    } else {
        Kind::Weaker
    };
    list(kind, &case.place, "uri", &case.value, reason, draft);
}

/// Conditions that realms cannot tell apart.
fn by_other(condition: &Condition, place: &Place, scope: &Scope, draft: &mut Draft) {
    let what = format!("{} {}", condition.what, condition.how);
    let is_page = condition.what == "uri" && condition.how == "equals";
    let mut others = Vec::new();
    for case in &condition.cases {
        let inner = Scope {
            start: Some(case.value.clone()),
            ..scope.clone()
        };
        let can_close = is_page && case.value != "/" && names::resource(&case.value).is_ok();
        if can_close && !case.only_forwards() && covers(scope.resource(), inner.resource()) {
            close(
                &case.place,
                "a page of its own, which goes to no application",
                &inner,
                draft,
            );
        } else {
            let why = "realms are found by host and by path prefix only";
            others.push(list_case(&what, case, why, draft));
        }
    }
    rest(condition.default.as_deref(), place, others, scope, draft);
}

/// Places the default for whatever no case was taken over for. `others` says of each case that was not whether it
/// went to an application: if not, such requests must not go there now.
fn rest(
    default: Option<&Rule>,
    place: &Place,
    others: Vec<bool>,
    scope: &Scope,
    draft: &mut Draft,
) {
    if others.into_iter().all(|forwards| forwards) {
        at(default, place, scope, draft);
    } else {
        let place = default.map_or(place, |rule| &rule.place);
        let why =
            "a case beside this default kept requests from applications, and cannot be told apart";
        close(place, why, scope, draft);
    }
}

/// Refuses everybody.
fn close(place: &Place, why: &str, scope: &Scope, draft: &mut Draft) {
    let reason = format!(
        "{why}: refused here by a rule; give the realm the right `upstream` and take the rule out, or leave it"
    );
    draft.leave_at(Kind::Closed, place, &scope.name(), &reason);
    route(Target::Closed, place, "rule", scope, draft);
}

fn route(to: Target, place: &Place, what: &str, scope: &Scope, draft: &mut Draft) {
    let resource = scope.resource().to_owned();
    let same =
        |route: &&Route| route.host == scope.host && route.resource.eq_ignore_ascii_case(&resource);
    if let Some(first) = draft.routes.iter().find(same) {
        if first.to != to {
            let reason = "realms cannot tell this from a rule above for the same host and path";
            draft.leave_at(Kind::Weaker, place, &scope.name(), reason);
        }
        return;
    }
    if to != Target::Closed {
        draft.taken += 1;
    }
    draft.routes.push(Route {
        host: scope.host.clone(),
        resource,
        to,
        from: format!("{what} ({place})"),
    });
}

/// Lists a case that is not taken over, and says whether it only went to applications.
fn list_case(what: &str, case: &Case, why: &str, draft: &mut Draft) -> bool {
    let reason = format!("{why}: such requests go where the rest goes, if that is not refused");
    list(Kind::Weaker, &case.place, what, &case.value, &reason, draft);
    case.only_forwards()
}

fn list_pattern(pattern: &Pattern, draft: &mut Draft) -> bool {
    let reason = "realms have no regular expressions: such requests go where the rest goes, if that is not refused";
    list(
        Kind::Weaker,
        &pattern.place,
        "xpr",
        &pattern.text,
        reason,
        draft,
    );
    pattern.forwards
}

fn list_never(what: &str, case: &Case, draft: &mut Draft) {
    let reason = "never reached: another case or the condition around it comes first";
    list(Kind::Nothing, &case.place, what, &case.value, reason, draft);
}

fn list(kind: Kind, place: &Place, what: &str, value: &str, reason: &str, draft: &mut Draft) {
    draft.leave_at(kind, place, &format!("{what} {}", quoted(value)), reason);
}

/// Whether `resource` is `prefix` or below it, by whole segments.
fn covers(prefix: &str, resource: &str) -> bool {
    agent::access::protection::covers(prefix, resource)
}
