//! What becomes of each setting, as data; and the walk over a file's settings that drops none.

use std::collections::HashMap;

use super::draft::{Draft, Kind};
use super::source::{Malformed, Place, Setting};

/// Why a setting is not taken over.
pub(super) const AS_HERE: &str = "as it is here without being set";

/// What becomes of a setting.
pub(super) enum Fate {
    /// Taken over as far as possible; what is not is listed.
    Taken(fn(&Settings, &Setting, &mut Draft)),
    /// Listed with the reason.
    Listed(Kind, &'static str),
    /// Listed with the reason if it is on, else there is nothing to set.
    IfOn(Kind, &'static str),
    /// Listed with the reason if it is off, else there is nothing to set.
    IfOff(Kind, &'static str),
    /// A secret. Never copied.
    Secret(&'static str),
}

/// A table: each setting's name, and what becomes of it.
pub(super) type Table = &'static [(&'static str, Fate)];

/// All settings of the files of one agent, and how their names are compared.
pub(super) struct Settings {
    list: Vec<Setting>,
    ignore_case: bool,
}

impl Settings {
    /// The settings of an agent that does not tell `cookiedomain` from `CookieDomain`, or of one that does.
    pub(super) const fn new(list: Vec<Setting>, ignore_case: bool) -> Self {
        Self { list, ignore_case }
    }

    /// Every setting of this name, in the order of the files.
    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Setting> {
        self.list
            .iter()
            .filter(move |setting| self.same(&setting.name, name))
    }

    /// Whether a setting is on; `default` if it is not written.
    pub(super) fn is_on(&self, name: &str, default: bool) -> bool {
        let found = self.all(name).filter(|setting| !setting.value.is_empty());
        found.last().map_or(default, Setting::is_on)
    }

    /// The value of a setting, if it has one.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let same = |setting: &&Setting| self.same(&setting.name, name);
        let values = self
            .list
            .iter()
            .filter(same)
            .map(|setting| setting.value.as_str());
        values.rev().find(|value| !value.is_empty())
    }

    /// Writes down what the other agent does where nothing is said.
    pub(super) fn complete(&mut self, defaults: &[(&str, &str)]) {
        for (name, value) in defaults {
            if self.all(name).all(|setting| setting.value.is_empty()) {
                self.list.push(Setting {
                    name: (*name).to_owned(),
                    index: None,
                    value: (*value).to_owned(),
                    place: Place::Default,
                });
            }
        }
    }

    /// Takes over or lists every setting. `lists` are names that may come again and again.
    ///
    /// # Errors
    /// Every setting that has a second, different value.
    pub(super) fn apply(
        &self,
        table: Table,
        lists: &[&str],
        draft: &mut Draft,
    ) -> Result<(), Vec<Malformed>> {
        let repeated = self.repeated(lists);
        if !repeated.is_empty() {
            return Err(repeated);
        }
        for setting in &self.list {
            let row = table
                .iter()
                .find(|(name, _)| self.same(name, &setting.name));
            draft.settings += usize::from(setting.place != Place::Default);
            let before = draft.marks();
            match row {
                Some((_, fate)) => self.fulfil(fate, setting, draft),
                None => draft.leave(
                    Kind::Weaker,
                    setting,
                    "nothing is known of this setting: find out whether it protects anything",
                ),
            }
            if draft.marks() == before {
                draft.leave(Kind::Weaker, setting, "this value is not understood");
            }
        }
        Ok(())
    }

    fn fulfil(&self, fate: &Fate, setting: &Setting, draft: &mut Draft) {
        match *fate {
            Fate::Secret(what) => {
                let reason = format!("a secret is never imported: {what}");
                draft.leave(Kind::Missing, setting, &reason);
            }
            _ if setting.value.is_empty() => draft.leave(Kind::Nothing, setting, "has no value"),
            Fate::Taken(take) => take(self, setting, draft),
            Fate::Listed(kind, reason) => draft.leave(kind, setting, reason),
            Fate::IfOn(kind, reason) if setting.is_on() => draft.leave(kind, setting, reason),
            Fate::IfOff(kind, reason) if !setting.is_on() => draft.leave(kind, setting, reason),
            Fate::IfOn(..) | Fate::IfOff(..) => draft.leave(Kind::Nothing, setting, AS_HERE),
        }
    }

    fn same(&self, one: &str, other: &str) -> bool {
        one == other || self.ignore_case && one.eq_ignore_ascii_case(other)
    }

    fn repeated(&self, lists: &[&str]) -> Vec<Malformed> {
        let mut first: HashMap<String, &Setting> = HashMap::new();
        let mut repeated = Vec::new();
        for setting in &self.list {
            if setting.place == Place::Default {
                continue;
            }
            if lists.iter().any(|name| self.same(name, &setting.name)) && setting.index.is_none() {
                continue;
            }
            let name = setting.full_name();
            let key = if self.ignore_case {
                name.to_ascii_lowercase()
            } else {
                name.clone()
            };
            let before = *first.entry(key).or_insert(setting);
            if before.value != setting.value {
                repeated.push(Malformed {
                    place: setting.place.to_string(),
                    what: format!(
                        "{name} has another value at {}: delete one of them",
                        before.place
                    ),
                });
            }
        }
        repeated
    }
}

#[cfg(test)]
pub(super) mod tests;
