//! Settings from environment variables, for containers.
//!
//! `DOORWARD__SESSION__GRACE_PERIOD=1m` overrides `grace_period` of `[session]`; a number between two
//! double underscores counts array elements from 0, as in `DOORWARD__REALMS__0__HOSTS=["a.example"]`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// What a variable's name starts with.
pub const PREFIX: &str = "DOORWARD__";

/// The settings that the environment gives, by the variable's whole name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Values that are not UTF-8 are kept to be reported.
    variables: BTreeMap<String, Result<String, OsString>>,
}

impl Environment {
    /// The settings in this process's environment.
    pub fn from_process() -> Self {
        let named =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let ours = named.filter(|(name, _)| name.starts_with(PREFIX));
        Self {
            variables: ours
                .map(|(name, value)| (name, value.into_string()))
                .collect(),
        }
    }

    /// Each variable: its name, the keys that it leads through, and its value unless that is not UTF-8.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, Vec<String>, Option<&str>)> {
        self.variables.iter().map(|(name, value)| {
            let keys = name
                .strip_prefix(PREFIX)
                .unwrap_or(name)
                .to_ascii_lowercase();
            (
                name.as_str(),
                keys.split("__").map(str::to_owned).collect(),
                value.as_deref().ok(),
            )
        })
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    /// Variables with names that do not start with [`PREFIX`] are left out.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let named = variables
            .into_iter()
            .map(|(name, value)| (name.into(), Ok(value.into())));
        Self {
            variables: named.filter(|(name, _)| name.starts_with(PREFIX)).collect(),
        }
    }
}

impl fmt::Debug for Environment {
    /// Only the names: a value may be a secret that was put there by mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
