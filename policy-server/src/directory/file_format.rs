//! The users file as an operator writes it, and its reading into users.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use policy_protocol::{Identity, UserDirectory};
use serde::Deserialize;
use toml::Spanned;

use super::name::folded;
use super::password::{PasswordCost, StoredHash, hash_password_at};
use super::{Changes, PasswordState, User};
use crate::config::{Problem, Problems, parse_toml};

/// Names and ids stand in every session spec, whose length is bounded.
const MAX_NAME_LENGTH: usize = 128;
/// Distinguished names too.
const MAX_DN_LENGTH: usize = 512;

/// `users.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UsersFile {
    #[serde(default)]
    users: Vec<UserSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserSection {
    /// The login name.
    name: Spanned<String>,
    /// Argon2id in PHC string format; without it there is no login by password.
    password: Option<Spanned<String>>,
    /// `uid=NAME,ou=people` unless given.
    dn: Option<Spanned<String>>,
    /// The name unless given.
    universal_id: Option<Spanned<String>>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
    #[serde(default)]
    attributes: BTreeMap<String, Spanned<OneOrMany>>,
    #[serde(default)]
    disabled: bool,
    /// SHA-256 of certificates (DER) that log in as this user, in hex.
    #[serde(default)]
    certificates: Vec<Spanned<String>>,
    /// Subjects of certificates that log in as this user.
    #[serde(default)]
    certificate_subjects: Vec<Spanned<String>>,
    /// Issuers of those certificates; any that the agent trusts unless given.
    #[serde(default)]
    certificate_issuers: Vec<String>,
    /// Whether the password is to be changed at the next login.
    #[serde(default)]
    must_change: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A users file, ready for use.
pub(super) struct Users {
    /// By [`folded`] login name.
    pub(super) by_name: HashMap<String, Entry>,
    /// By universal id.
    pub(super) by_universal_id: HashMap<String, Entry>,
    /// By SHA-256 in lower-case hex.
    pub(super) by_fingerprint: HashMap<String, Arc<User>>,
    /// By distinguished name, with the issuers that may have said so; none for all.
    by_subject: HashMap<String, (Arc<User>, Arc<[String]>)>,
    /// Checked when there is no such user, at the cost of the dearest hash in the file.
    pub(super) decoy: Arc<StoredHash>,
}

/// A user and their password.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) user: Arc<User>,
    pub(super) password: Option<Arc<StoredHash>>,
    must_change: bool,
}

impl Entry {
    pub(super) const fn password_state(&self) -> PasswordState {
        if self.must_change {
            PasswordState::MustChange
        } else {
            PasswordState::Good
        }
    }
}

impl Users {
    /// The user that certificates with this subject, by this issuer, belong to.
    pub(super) fn by_subject(&self, subject: &str, issuer: &str) -> Option<&Arc<User>> {
        let (user, issuers) = self.by_subject.get(subject)?;
        let issued = issuers.is_empty() || issuers.iter().any(|known| known == issuer);
        issued.then_some(user)
    }
}

/// Reads a users file.
pub(super) fn read(text: &str, file: &str, directory: &UserDirectory) -> Result<Users, Problems> {
    let sections = parse_toml::<UsersFile>(text, file)?.users;
    let mut reader = Reader {
        text,
        file,
        directory,
        problems: Vec::new(),
    };
    let mut users = Users {
        by_name: HashMap::new(),
        by_universal_id: HashMap::new(),
        by_fingerprint: HashMap::new(),
        by_subject: HashMap::new(),
        decoy: reader.decoy(&sections)?,
    };
    for section in sections {
        reader.add(&mut users, section);
    }
    Problems::check(reader.problems, users)
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    directory: &'a UserDirectory,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn report<T>(&mut self, place: &Spanned<T>, key: &str, message: &str) {
        self.problems.push(Problem::at(
            self.file,
            self.text,
            &place.span(),
            key,
            message,
        ));
    }

    /// A hash of a password that nobody has.
    fn decoy(&self, sections: &[UserSection]) -> Result<Arc<StoredHash>, Problems> {
        let hashes = sections
            .iter()
            .filter_map(|section| section.password.as_ref());
        let costs = hashes.filter_map(|hash| StoredHash::parse(hash.get_ref()).ok());
        let cost = costs
            .map(|hash| hash.cost())
            .max()
            .unwrap_or(PasswordCost::STANDARD);
        let failed = |message: &str| Problems::one(Problem::unplaced(self.file, "", message));
        let mut password = [0; 16];
        getrandom::fill(&mut password).map_err(|_| failed("there is no randomness to be had"))?;
        let hash = hash_password_at(&format!("{password:?}"), cost)
            .map_err(|error| failed(&error.to_string()))?;
        StoredHash::parse(&hash).map(Arc::new).map_err(failed)
    }

    fn add(&mut self, users: &mut Users, section: UserSection) {
        let key = format!("users.{}", section.name.get_ref().escape_debug());
        let name = self.word(&section.name, &key, MAX_NAME_LENGTH);
        let dn = match &section.dn {
            Some(dn) => self.word(dn, &format!("{key}.dn"), MAX_DN_LENGTH),
            None => format!("uid={name},ou=people"),
        };
        let universal_id = match &section.universal_id {
            Some(id) => self.word(id, &format!("{key}.universal_id"), MAX_NAME_LENGTH),
            None => name.clone(),
        };
        let groups = section
            .groups
            .iter()
            .map(|group| self.word(group, &format!("{key}.groups"), MAX_NAME_LENGTH));
        let groups = groups.collect();
        let attributes = section.attributes.into_iter().map(|(attribute, values)| {
            let values = self.attribute(&format!("{key}.attributes.{attribute}"), values);
            (attribute, values)
        });
        let attributes = attributes.collect();
        let password = section.password.and_then(|password| {
            StoredHash::parse(password.get_ref())
                .map(Arc::new)
                .map_err(|message| self.report(&password, &format!("{key}.password"), message))
                .ok()
        });
        let identity = Identity {
            user_name: name.clone(),
            user_dn: dn,
            universal_id: universal_id.clone(),
            directory: self.directory.clone(),
            groups,
            attributes,
        };
        let user = Arc::new(User {
            identity,
            disabled: section.disabled,
        });
        let entry = Entry {
            user: Arc::clone(&user),
            password,
            must_change: section.must_change,
        };
        let same_name = users.by_name.insert(folded(&name), entry.clone());
        if same_name.is_some() {
            self.report(&section.name, &key, "there is another user of this name");
        }
        if users.by_universal_id.insert(universal_id, entry).is_some() {
            self.report(
                &section.name,
                &key,
                "there is another user with this universal id",
            );
        }
        self.certificates(
            users,
            &key,
            &user,
            &section.certificates,
            &section.certificate_subjects,
            section.certificate_issuers.into(),
        );
    }

    fn certificates(
        &mut self,
        users: &mut Users,
        key: &str,
        user: &Arc<User>,
        fingerprints: &[Spanned<String>],
        subjects: &[Spanned<String>],
        issuers: Arc<[String]>,
    ) {
        for fingerprint in fingerprints {
            let hex = fingerprint.get_ref().replace(':', "").to_ascii_lowercase();
            let key = format!("{key}.certificates");
            if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                self.report(fingerprint, &key, "must be a SHA-256 in hex: 64 digits");
            } else if users.by_fingerprint.insert(hex, Arc::clone(user)).is_some() {
                self.report(fingerprint, &key, "this certificate is listed twice");
            }
        }
        for subject in subjects {
            let key = format!("{key}.certificate_subjects");
            let name = self.word(subject, &key, MAX_DN_LENGTH);
            let whose = (Arc::clone(user), Arc::clone(&issuers));
            if users.by_subject.insert(name, whose).is_some() {
                self.report(subject, &key, "this subject is listed twice");
            }
        }
    }

    /// A text that may stand in headers and session specs.
    fn word(&mut self, value: &Spanned<String>, key: &str, max: usize) -> String {
        let word = value.get_ref().trim();
        if word.is_empty() || word.len() > max || word.chars().any(char::is_control) {
            let rule = format!("must be 1 to {max} bytes long, without control characters");
            self.report(value, key, &rule);
        }
        word.to_owned()
    }

    fn attribute(&mut self, key: &str, values: Spanned<OneOrMany>) -> Vec<String> {
        let span = values.span();
        let values = match values.into_inner() {
            OneOrMany::One(value) => vec![value],
            OneOrMany::Many(values) => values,
        };
        if values
            .iter()
            .any(|value| value.chars().any(char::is_control))
        {
            self.report(
                &Spanned::new(span, ()),
                key,
                "a value cannot hold control characters",
            );
        }
        values
    }
}

/// What `new` changes for the users of `old`.
pub(super) fn changes(old: &Users, new: &Users) -> Changes {
    let enabled = |users: &Users| -> BTreeSet<String> {
        let enabled = users
            .by_universal_id
            .iter()
            .filter(|(_, entry)| !entry.user.disabled);
        enabled.map(|(id, _)| id.clone()).collect()
    };
    let mut known = old.by_universal_id.iter();
    let now = |id| new.by_universal_id.get(id).map(|entry: &Entry| &entry.user);
    Changes {
        to_known_users: known.any(|(id, entry)| now(id) != Some(&entry.user)),
        gone: enabled(old).difference(&enabled(new)).cloned().collect(),
    }
}
