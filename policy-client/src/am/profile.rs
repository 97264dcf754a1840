//! `/json/users/{id}`: what AM knows of a user, as far as the user's own session may read it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::reply::{Reply, parse};
use crate::PolicyError;

/// What `Accept-API-Version` says: what there is to read is the same in all versions, and every AM has its newest.
pub(super) const VERSION: &str = "protocol=1.0";
/// The attributes that hold the distinguished names of the user's groups, in the two spellings of directories.
const GROUPS: [&str; 2] = ["ismemberof", "memberof"];

/// Parts of the names of attributes that no application is to see, in lower case: passwords, what the second factors
/// of the user share with AM (`oathDeviceProfiles`, `pushDeviceProfiles`, `webauthnDeviceProfiles`,
/// `devicePrintProfiles`, `boundDevices`), and answers to the questions of those who forgot theirs (`kbaInfo`).
const SECRETS: [&str; 7] = [
    "password",
    "pwd",
    "secret",
    "deviceprofiles",
    "deviceprintprofiles",
    "bounddevices",
    "kbainfo",
];

/// A user, as AM tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) dn: String,
    pub(super) universal_id: Option<String>,
    /// Distinguished names: groups of the same name in different places are different groups.
    pub(super) groups: Vec<String>,
    pub(super) attributes: BTreeMap<String, Vec<String>>,
}

/// Reads `user`. One that may not be read (403), or is no user with a profile (404), has none.
///
/// # Errors
/// If AM cannot tell, or tells of somebody else. A user of whom not everything could be read would escape what
/// denies.
pub(super) fn read(reply: Reply, user: &str) -> Result<Profile, PolicyError> {
    match reply {
        Reply::Content(body) => {
            let members = parse::<Map<String, Value>>(&body)?;
            if !is_about(&members, user) {
                tracing::warn!(
                    user,
                    "what AM tells is not about the user it was asked about"
                );
                return Err(PolicyError::Protocol);
            }
            Ok(Profile::from(members))
        }
        Reply::Refused(refusal) if matches!(refusal.status, 403 | 404) => Ok(Profile::default()),
        Reply::Refused(refusal) => Err(refusal.unforeseen("about a user")),
    }
}

/// Whether these are the members of `user`. Directories do not tell upper from lower case in names.
fn is_about(members: &Map<String, Value>, user: &str) -> bool {
    let user = user.to_lowercase();
    let names = ["_id", "username"]
        .into_iter()
        .filter_map(|name| members.get(name));
    let mut texts = names.filter_map(Value::as_str);
    texts.any(|name| name.to_lowercase() == user)
}

impl Profile {
    /// Its texts, in bytes.
    pub(super) fn size(&self) -> usize {
        let values = self.attributes.values().flatten().chain(&self.groups);
        let names = self.attributes.keys().map(String::len);
        values.map(String::len).chain(names).sum::<usize>() + self.dn.len()
    }
}

impl From<Map<String, Value>> for Profile {
    fn from(members: Map<String, Value>) -> Self {
        let mut profile = Self::default();
        for (name, value) in members {
            let lower = name.to_ascii_lowercase();
            // What names the object, and what no application is to see.
            if lower.starts_with('_') || SECRETS.iter().any(|part| lower.contains(part)) {
                continue;
            }
            let values = texts(value);
            match lower.as_str() {
                "dn" => profile.dn = values.into_iter().next().unwrap_or_default(),
                "universalid" => profile.universal_id = values.into_iter().next(),
                _ if GROUPS.contains(&lower.as_str()) => profile.groups.extend(values),
                _ if values.is_empty() => {}
                _ => _ = profile.attributes.insert(name, values),
            }
        }
        profile.groups.sort_unstable();
        profile.groups.dedup();
        profile
    }
}

/// A text or several; objects in them are not attributes of a directory.
fn texts(value: Value) -> Vec<String> {
    let one = |value| match value {
        Value::String(text) => Some(text),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match value {
        Value::Array(values) => values.into_iter().filter_map(one).collect(),
        value => one(value).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::am::reply::tests::reply;

    fn profile(status: u16, body: &str) -> Result<Profile, PolicyError> {
        read(reply(status, body)?, "demo")
    }

    #[test]
    fn a_user_is_read_with_groups_and_without_secrets() {
        let user = profile(
            200,
            r#"{"_id":"demo","_rev":"7","username":"demo","realm":"/","uid":["demo"],"mail":["demo@example.com"],
                "userPassword":["{SSHA}x"],"unicodePwd":"x","oathDeviceProfiles":["{\"sharedSecret\":\"x\"}"],
                "pushDeviceProfiles":["x"],"webauthnDeviceProfiles":["x"],"deviceProfiles":["x"],
                "devicePrintProfiles":["x"],"boundDevices":["x"],"kbaInfo":["x"],"clientSecret":"x","dn":["uid=demo,ou=people,dc=example"],"universalid":["id=demo,ou=user,dc=x"],
                "isMemberOf":["cn=staff,ou=groups,dc=x","cn=all,ou=groups,dc=x"],"memberOf":"cn=all,ou=groups,dc=x",
                "active":true,"roles":[{"_ref":"x"}],"cn":[]}"#,
        )
        .unwrap();
        assert_eq!(user.dn, "uid=demo,ou=people,dc=example");
        assert_eq!(user.universal_id.as_deref(), Some("id=demo,ou=user,dc=x"));
        assert_eq!(
            user.groups,
            ["cn=all,ou=groups,dc=x", "cn=staff,ou=groups,dc=x"]
        );
        let names: Vec<_> = user.attributes.keys().map(String::as_str).collect();
        assert_eq!(names, ["active", "mail", "realm", "uid", "username"]);
        assert_eq!(user.attributes["mail"], ["demo@example.com"]);
    }

    #[test]
    fn what_is_not_about_the_user_is_no_user() {
        for body in [
            r#"{"username":"Demo"}"#,
            r#"{"_id":"DEMO"}"#,
            r#"{"_id":"4f7c","username":"demo"}"#,
        ] {
            assert!(profile(200, body).is_ok(), "{body}");
        }
        for body in [
            "{}",
            r#"{"error":"login required"}"#,
            r#"{"_id":"other","username":"other","uid":["demo"],"isMemberOf":["cn=staff"]}"#,
            r#"{"_id":7,"username":null}"#,
            r#"{"username":""}"#,
        ] {
            assert_eq!(profile(200, body), Err(PolicyError::Protocol), "{body}");
        }
    }

    #[test]
    fn what_may_not_be_read_is_empty_and_a_failure_is_a_failure() {
        let refused = |status| {
            profile(
                status,
                &format!(r#"{{"code":{status},"reason":"x","message":"y"}}"#),
            )
        };
        assert_eq!(refused(403), Ok(Profile::default()));
        assert_eq!(refused(404), Ok(Profile::default()));
        for status in [400, 401, 429, 500, 503] {
            assert_eq!(refused(status), Err(PolicyError::Failure), "{status}");
        }
        for body in ["", "[]", "<html></html>", "null"] {
            assert_eq!(profile(200, body), Err(PolicyError::Protocol), "{body}");
        }
        assert_eq!(profile(403, "<html></html>"), Err(PolicyError::Protocol));
    }
}
