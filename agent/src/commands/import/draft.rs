//! What an import has found so far: values, routes, what passes without a session, and what is left out.

use std::collections::BTreeMap;

use super::source::{Place, Setting};

/// Why something was not taken over, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It protects there, and nothing does here.
    Weaker,
    /// It was open there, and is protected or refused here.
    Closed,
    /// It is not there, or is to be done by hand.
    Missing,
    /// It needs no setting here.
    Nothing,
}

/// Something that was not taken over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Left {
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// The setting's name, and the part of its value that is meant.
    pub(super) what: String,
    pub(super) reason: String,
}

/// A value that was taken over.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) value: toml::Value,
    /// The settings that it comes from.
    pub(super) from: Vec<String>,
    /// Where the first of them is.
    pub(super) place: Place,
}

/// A path that passes without a session.
#[derive(Debug)]
pub(super) struct Open {
    /// The host it is on; any if absent.
    pub(super) host: Option<String>,
    /// A resource, or with a slash at its end what is below one.
    pub(super) path: String,
    pub(super) from: String,
}

/// A path that requests are sent on from.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// The host; any if absent.
    pub(super) host: Option<String>,
    /// The resource.
    pub(super) resource: String,
    pub(super) to: Target,
    pub(super) from: String,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To a server: scheme, host and port.
    Server(String),
    /// To an application that the source does not name.
    Unnamed,
    /// Nowhere: everybody is refused.
    Closed,
}

/// What an import has found so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Settings and rules that were read.
    pub(super) settings: usize,
    /// Things that were taken over.
    pub(super) taken: usize,
    /// Settings that are looked at when all have been read.
    pub(super) deferred: usize,
    /// By section and key.
    pub(super) values: BTreeMap<(&'static str, &'static str), Value>,
    /// Methods and resource of requests that do not keep a session alive.
    pub(super) overlook: Vec<(Vec<String>, String, String)>,
    /// Headers for applications, the attributes in them, and what they come from.
    pub(super) responses: Vec<(String, String, String)>,
    /// What passes without a session.
    pub(super) open: Vec<Open>,
    /// File extensions that pass without a session, and what they come from.
    pub(super) extensions: Vec<(String, String)>,
    /// Hosts on which everything passes without a session.
    pub(super) open_hosts: Vec<(String, Setting)>,
    /// Hosts that the source names; any if none.
    pub(super) hosts: Vec<(String, String)>,
    /// Where requests go.
    pub(super) routes: Vec<Route>,
    /// Whether the source sends the host of the application instead of the client's.
    pub(super) rewrites_host: bool,
    pub(super) left: Vec<Left>,
}

impl Draft {
    /// Grows with everything that is recorded.
    pub(super) fn marks(&self) -> usize {
        self.taken + self.deferred + self.left.len()
    }

    /// Takes a value over.
    pub(super) fn set(
        &mut self,
        section: &'static str,
        key: &'static str,
        value: impl Into<toml::Value>,
        from: &Setting,
    ) {
        self.taken += 1;
        let value = Value {
            value: value.into(),
            from: vec![origin(from)],
            place: from.place.clone(),
        };
        self.values.insert((section, key), value);
    }

    /// Takes an element of a list over.
    pub(super) fn add(
        &mut self,
        section: &'static str,
        key: &'static str,
        element: impl Into<toml::Value>,
        from: &Setting,
    ) {
        self.taken += 1;
        let list = self.values.entry((section, key)).or_insert_with(|| Value {
            value: toml::Value::Array(Vec::new()),
            from: Vec::new(),
            place: from.place.clone(),
        });
        let element = element.into();
        if let toml::Value::Array(elements) = &mut list.value
            && !elements.contains(&element)
        {
            elements.push(element);
        }
        let from = origin(from);
        if !list.from.contains(&from) {
            list.from.push(from);
        }
    }

    /// Lets a path pass without a session.
    pub(super) fn open(&mut self, host: Option<&str>, path: &str, from: &Setting) {
        self.taken += 1;
        self.open.push(Open {
            host: host.map(str::to_owned),
            path: path.to_owned(),
            from: origin(from),
        });
    }

    /// Lists a setting that is not taken over.
    pub(super) fn leave(&mut self, kind: Kind, setting: &Setting, reason: &str) {
        self.leave_at(kind, &setting.place, &setting.full_name(), reason);
    }

    /// Lists a part of a setting that is not taken over.
    pub(super) fn leave_part(&mut self, kind: Kind, setting: &Setting, part: &str, reason: &str) {
        let what = format!("{} {}", setting.full_name(), quoted(part));
        self.leave_at(kind, &setting.place, &what, reason);
    }

    /// Lists something that is not taken over.
    pub(super) fn leave_at(&mut self, kind: Kind, place: &Place, what: &str, reason: &str) {
        self.left.push(Left {
            kind,
            place: place.clone(),
            what: what.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// How many things were left out for a reason of this kind.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.left.iter().filter(|left| left.kind == kind).count()
    }
}

/// What a comment calls the setting that a value comes from.
pub(super) fn origin(setting: &Setting) -> String {
    format!("{} ({})", setting.full_name(), setting.place)
}

/// A part of a value as a comment shows it: not more than one line, and no password of an address.
pub(super) fn quoted(text: &str) -> String {
    /// Enough to find it in the source.
    const LONGEST: usize = 120;
    let without_user = match (text.find("://"), text.rfind('@')) {
        (Some(start), Some(end)) if start + 3 <= end => {
            format!("{}…{}", &text[..start + 3], &text[end..])
        }
        _ => text.to_owned(),
    };
    let mut short: String = without_user.chars().take(LONGEST).collect();
    if short.len() < without_user.len() {
        short.push('…');
    }
    format!("`{short}`")
}
