//! Writes what was found as a configuration of an agent, with a comment for each thing that was read.

use std::fmt::Write as _;

use toml::Value;

use super::draft::{Draft, Kind, Target};
use super::realms::Realm;

/// What stands where the source says nothing. No check lets it pass.
const PLACEHOLDER: &str = "PLACEHOLDER";
/// The application where the source names none.
const APPLICATION: &str = "application";

/// The configuration as text. `sources` are the names of the files.
pub(super) fn configuration(draft: &Draft, realms: &[Realm], sources: &[String]) -> String {
    let mut writer = Writer {
        draft,
        text: String::new(),
    };
    writer.head(sources);
    writer.keys("");
    writer.section("agent");
    writer.listeners();
    writer.policy_server();
    writer.section("session");
    writer.overlook();
    writer.section("identity");
    writer.section("login");
    let upstreams = upstreams(realms);
    writer.upstreams(&upstreams);
    for realm in realms {
        writer.realm(realm, &upstreams);
    }
    writer.left();
    writer.text
}

/// The servers that are named, each with the name of its upstream; or the one that is not.
fn upstreams(realms: &[Realm]) -> Vec<(Target, String)> {
    let mut upstreams: Vec<(Target, String)> = Vec::new();
    let used = realms.iter().filter(|realm| realm.to != Target::Closed);
    for realm in used {
        if upstreams.iter().any(|(target, _)| *target == realm.to) {
            continue;
        }
        let name = match &realm.to {
            Target::Server(server) => {
                let authority = server
                    .split_once("://")
                    .map_or(server.as_str(), |(_, rest)| rest);
                let taken = upstreams.iter().any(|(_, name)| name == authority);
                if taken { server } else { authority }.to_owned()
            }
            Target::Unnamed | Target::Closed => APPLICATION.to_owned(),
        };
        upstreams.push((realm.to.clone(), name));
    }
    if upstreams.is_empty() {
        upstreams.push((Target::Unnamed, APPLICATION.to_owned()));
    }
    upstreams
}

struct Writer<'d> {
    draft: &'d Draft,
    text: String,
}

impl Writer<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn comment(&mut self, text: &str) {
        let line = format!("# {}", one_line(text));
        self.line(&line);
    }

    fn from(&mut self, sources: &[String]) {
        if !sources.is_empty() {
            self.comment(&format!("from {}", sources.join(", ")));
        }
    }

    fn key(&mut self, key: &str, value: impl Into<Value>) {
        let line = format!("{key} = {}", value.into());
        self.line(&line);
    }

    fn placeholder(&mut self, what: &str) {
        self.comment(&format!("{PLACEHOLDER}: {what}"));
    }

    fn head(&mut self, sources: &[String]) {
        self.comment(&format!(
            "Imported from {} by `doorward import`.",
            sources.join(", ")
        ));
        self.line("#");
        self.comment(&format!(
            "What the source does not say is marked with {PLACEHOLDER}; `doorward check` reports what is missing there."
        ));
        self.comment("What was not taken over is at the end, the most urgent first.");
        self.line("");
    }

    /// The values of a section, as far as there are any.
    fn keys(&mut self, section: &'static str) {
        let draft = self.draft;
        let values = draft.values.iter().filter(|((of, _), _)| *of == section);
        for ((_, key), value) in values {
            self.from(&value.from);
            self.key(key, value.value.clone());
        }
    }

    fn section(&mut self, section: &'static str) {
        if self.draft.values.keys().any(|(of, _)| *of == section) {
            self.line(&format!("\n[{section}]"));
            self.keys(section);
        }
    }

    fn listeners(&mut self) {
        self.line("\n[[listeners]]");
        self.placeholder("where requests come in");
        self.key("address", "[::]:8443");
        self.line("\n[[listeners.tls.certificates]]");
        self.placeholder("the certificate of the hosts below, and its key");
        self.key("cert_file", format!("{PLACEHOLDER}.pem"));
        self.key("key_file", format!("{PLACEHOLDER}.key"));
    }

    fn policy_server(&mut self) {
        self.line("\n[policy_server]");
        self.key("kind", "native");
        self.placeholder("Doorward's policy servers, such as https://policy.example.com:44443");
        self.key("urls", vec![PLACEHOLDER]);
        self.placeholder("a file with the secret that `doorward agents add` gave this agent");
        self.key("agent_secret_file", format!("{PLACEHOLDER}.secret"));
        self.keys("policy_server");
    }

    fn overlook(&mut self) {
        let draft = self.draft;
        for (methods, resource, from) in &draft.overlook {
            self.line("\n[[session.overlook]]");
            self.from(std::slice::from_ref(from));
            if !methods.is_empty() {
                self.key("methods", methods.clone());
            }
            self.key("resource", resource.as_str());
        }
    }

    fn upstreams(&mut self, upstreams: &[(Target, String)]) {
        for (target, name) in upstreams {
            self.line("\n[[upstreams]]");
            self.key("name", name.as_str());
            match target {
                Target::Server(server) => self.key("servers", vec![server.as_str()]),
                Target::Unnamed | Target::Closed => {
                    self.placeholder("the application's servers, such as http://127.0.0.1:3000");
                    self.key("servers", vec![PLACEHOLDER]);
                }
            }
            if self.draft.rewrites_host {
                self.comment("as an Access Gateway does unless enableproxypreservehost in server.conf is set");
                self.key("preserve_host", false);
            }
        }
    }

    fn realm(&mut self, realm: &Realm, upstreams: &[(Target, String)]) {
        let draft = self.draft;
        self.line("\n[[realms]]");
        self.from(&realm.from);
        self.key("name", realm.name());
        self.key("hosts", vec![realm.host.as_deref().unwrap_or("*")]);
        self.key("resource", realm.resource.as_str());
        let upstream = upstreams.iter().find(|(target, _)| *target == realm.to);
        if let Some((_, name)) = upstream.or_else(|| upstreams.first()) {
            self.key("upstream", name.as_str());
        }
        self.key("scheme", if realm.open { "none" } else { "form" });
        if realm.to != Target::Closed {
            // Else the rule of a closed realm around it would be inherited.
            self.key("rules", Vec::<String>::new());
        }
        if realm.open {
            return;
        }
        match draft.values.get(&("realms", "authorize")) {
            Some(value) => {
                self.from(&value.from);
                self.key("authorize", value.value.clone());
            }
            None => {
                self.comment("the other agent asks for authorization unless it is told not to");
                self.key("authorize", true);
            }
        }
        // Realms inherit what they do not say, so each says what passes in it, also that nothing does.
        let mut from: Vec<String> = realm.ignore_paths.values().flatten().cloned().collect();
        from.sort();
        from.dedup();
        self.from(&from);
        let paths: Vec<&str> = realm.ignore_paths.keys().map(String::as_str).collect();
        self.key("ignore_paths", paths);
        if realm.to == Target::Closed {
            self.key("ignore_extensions", Vec::<String>::new());
            self.line("[[realms.rules]]");
            self.comment("nothing here says where such requests go: see below");
            self.key("name", "not imported");
            self.key("effect", "deny");
            self.key("resource", realm.resource.as_str());
            return;
        }
        self.extensions();
        for (header, attribute, from) in &draft.responses {
            self.line("[[realms.responses]]");
            self.from(std::slice::from_ref(from));
            self.key("header", header.as_str());
            self.key("attribute", attribute.as_str());
        }
    }

    fn extensions(&mut self) {
        let mut extensions: Vec<&str> = Vec::new();
        let mut from: Vec<String> = Vec::new();
        for (extension, source) in &self.draft.extensions {
            if !extensions.contains(&extension.as_str()) {
                extensions.push(extension);
            }
            if !from.contains(source) {
                from.push(source.clone());
            }
        }
        self.from(&from);
        self.key("ignore_extensions", extensions);
    }

    fn left(&mut self) {
        let mut left = self.draft.left.clone();
        left.sort();
        left.dedup();
        for (kind, title) in [
            (
                Kind::Weaker,
                "LOOK AT THESE FIRST: they protect something there, and nothing does it here.",
            ),
            (
                Kind::Closed,
                "Open or answered there, protected or refused here.",
            ),
            (
                Kind::Missing,
                "Not taken over: not there, or to be done by hand.",
            ),
            (Kind::Nothing, "Nothing to set."),
        ] {
            let of_kind: Vec<_> = left.iter().filter(|left| left.kind == kind).collect();
            if of_kind.is_empty() {
                continue;
            }
            self.line("");
            self.comment(title);
            for left in of_kind {
                self.comment(&format!(
                    "* {} ({}): {}",
                    left.what, left.place, left.reason
                ));
            }
        }
    }
}

/// Text that stays in its comment, and does nothing to a terminal.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        // Characters that change the direction of what follows hide what is written.
        let hides = matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if char.is_control() || hides {
            let _ = write!(line, "{}", char.escape_unicode());
        } else {
            line.push(char);
        }
    }
    line
}
