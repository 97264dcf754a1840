//! `[keys]`: the master key, which seals what is secret in the store.

use policy_protocol::Secret;
use policy_protocol::seal::KEY_LENGTH;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::store::StoreConfig;
use super::validate::Checker;
use crate::master_key;

/// The variable that may hold the master key itself.
pub const MASTER_KEY_VARIABLE: &str = "DOORWARD_MASTER_KEY";

/// The master key, which seals what is secret in the store.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysSection {
    /// A file with base64 of 32 bytes, as `doorward keys generate-master` prints it. The environment
    /// variable `DOORWARD_MASTER_KEY` may hold the same. Without either SQLite has `master-key` in
    /// `state_dir`, made at the first start; a shared store needs one.
    #[schemars(with = "Option<String>")]
    pub master_key_file: Option<Spanned<String>>,
    /// A file with the master key before: it still opens, and no longer seals.
    #[schemars(with = "Option<String>")]
    pub previous_master_key_file: Option<Spanned<String>>,
}

/// Master keys.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    /// Seals and opens.
    pub current: Secret<[u8; KEY_LENGTH]>,
    /// Opens only.
    pub previous: Option<Secret<[u8; KEY_LENGTH]>>,
}

/// Where the master key comes from.
#[derive(Clone, Debug)]
pub enum MasterKeySource {
    /// It is given.
    Given(MasterKeys),
    /// It is in the state folder, where it is made if there is none.
    StateDir {
        /// Opens only.
        previous: Option<Secret<[u8; KEY_LENGTH]>>,
    },
}

/// Checks the section.
pub(super) fn validate(
    checker: &mut Checker<'_>,
    section: &KeysSection,
    store: &StoreConfig,
) -> MasterKeySource {
    let key = "keys.previous_master_key_file";
    let previous = section.previous_master_key_file.as_ref();
    let previous = previous.and_then(|file| read(checker, key, file));
    let given = match (&section.master_key_file, std::env::var(MASTER_KEY_VARIABLE)) {
        (Some(file), Ok(_)) => {
            let rule = format!("is given by {MASTER_KEY_VARIABLE} as well: leave one out");
            checker.report(file, "keys.master_key_file", &rule);
            None
        }
        (Some(file), Err(_)) => read(checker, "keys.master_key_file", file),
        (None, Ok(text)) => {
            let key = master_key::parse(Secret::new(text).expose());
            if key.is_none() {
                checker.report_unplaced(MASTER_KEY_VARIABLE, RULE);
            }
            key
        }
        (None, Err(_)) => {
            if !matches!(store, StoreConfig::Sqlite) {
                let rule = format!(
                    "a shared store needs a master key that all policy servers have: make one with \
                     `doorward keys generate-master`, and give it here or in {MASTER_KEY_VARIABLE}"
                );
                checker.report_unplaced("keys.master_key_file", &rule);
            }
            None
        }
    };
    match given {
        Some(current) => MasterKeySource::Given(MasterKeys { current, previous }),
        // Or a problem was reported.
        None => MasterKeySource::StateDir { previous },
    }
}

const RULE: &str = "must hold base64 of 32 bytes: make one with `doorward keys generate-master`";

fn read(
    checker: &mut Checker<'_>,
    key: &str,
    file: &Spanned<String>,
) -> Option<Secret<[u8; KEY_LENGTH]>> {
    let line = checker.line(key, file)?;
    let parsed = master_key::parse(line.expose());
    if parsed.is_none() {
        checker.report(file, key, RULE);
    }
    parsed
}
