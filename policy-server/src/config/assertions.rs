//! `[[assertions]]`: whose SAML assertions are believed, and through which agents.
//!
//! An agent that may assert could name any user. So none may unless it stands here.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::directories::DirectoryConfig;
use super::is_agent_name;
use super::validate::Checker;

/// An issuer whose assertions are believed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssertionsSection {
    /// The issuer, exactly as its assertions name it.
    #[schemars(with = "String")]
    pub issuer: Spanned<String>,
    /// The agents that may say that they have verified one.
    #[schemars(with = "Vec<String>")]
    pub agents: Spanned<Vec<Spanned<String>>>,
    /// The directory whose users the issuer may speak of: all unless given.
    #[schemars(with = "Option<String>")]
    pub directory: Option<Spanned<String>>,
    /// Domains of the issuer's users. Given any, only `user@DOMAIN` and `DOMAIN\user` of these count, as `user`;
    /// without any a name is looked for as it is.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub domains: Vec<Spanned<String>>,
}

/// The issuers that are believed.
#[derive(Clone, Debug, Default)]
pub struct Assertions(Vec<BelievedIssuer>);

/// An issuer that is believed.
#[derive(Clone, Debug)]
pub struct BelievedIssuer {
    issuer: String,
    agents: Vec<String>,
    /// The name of the directory whose users it may speak of.
    pub directory: Option<String>,
    domains: Vec<String>,
}

impl Assertions {
    /// The issuer, if this agent may say what it says.
    pub fn believed(&self, issuer: &str, agent: &str) -> Option<&BelievedIssuer> {
        self.0
            .iter()
            .find(|one| one.issuer == issuer && one.agents.iter().any(|name| name == agent))
    }
}

impl BelievedIssuer {
    /// The login name that a name id stands for. Nothing if its domain is none of the issuer's.
    pub fn name_of<'n>(&self, name_id: &'n str) -> Option<&'n str> {
        if self.domains.is_empty() {
            return Some(name_id);
        }
        let (user, domain) = match name_id.split_once('\\') {
            Some((domain, user)) => (user, domain),
            None => name_id.rsplit_once('@')?,
        };
        let is_own = |own: &String| own.eq_ignore_ascii_case(domain);
        let is_plain = !user.is_empty() && !user.contains(['@', '\\']);
        (is_plain && self.domains.iter().any(is_own)).then_some(user)
    }
}

/// Checks the sections.
pub(super) fn validate(
    checker: &mut Checker<'_>,
    sections: Vec<AssertionsSection>,
    directories: &[DirectoryConfig],
) -> Assertions {
    let mut issuers: Vec<BelievedIssuer> = Vec::new();
    for section in sections {
        if section.issuer.get_ref().is_empty() {
            checker.report(&section.issuer, "assertions.issuer", "must not be empty");
        }
        if issuers
            .iter()
            .any(|one| one.issuer == *section.issuer.get_ref())
        {
            let rule = "there is another section for this issuer";
            checker.report(&section.issuer, "assertions.issuer", rule);
        }
        if section.agents.get_ref().is_empty() {
            checker.report(&section.agents, "assertions.agents", "must not be empty");
        }
        for agent in section.agents.get_ref() {
            if !is_agent_name(agent.get_ref()) {
                checker.report(agent, "assertions.agents", "is no name of an agent");
            }
        }
        for domain in &section.domains {
            let text = domain.get_ref();
            if text.is_empty() || text.contains(['@', '\\']) {
                checker.report(domain, "assertions.domains", "is no name of a domain");
            }
        }
        if let Some(name) = &section.directory
            && !directories.iter().any(|one| one.name == *name.get_ref())
        {
            let rule = "no directory has this name";
            checker.report(name, "assertions.directory", rule);
        }
        issuers.push(BelievedIssuer {
            issuer: section.issuer.into_inner(),
            agents: texts(section.agents.into_inner()),
            directory: section.directory.map(Spanned::into_inner),
            domains: texts(section.domains),
        });
    }
    Assertions(issuers)
}

fn texts(spanned: Vec<Spanned<String>>) -> Vec<String> {
    spanned.into_iter().map(Spanned::into_inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(domains: &[&str]) -> BelievedIssuer {
        BelievedIssuer {
            issuer: "sts".to_owned(),
            agents: vec!["agent-1".to_owned()],
            directory: None,
            domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
        }
    }

    #[test]
    fn an_issuer_is_believed_from_its_agents_only() {
        let assertions = Assertions(vec![issuer(&[])]);
        assert!(assertions.believed("sts", "agent-1").is_some());
        assert!(assertions.believed("sts", "agent-2").is_none());
        assert!(assertions.believed("STS", "agent-1").is_none());
        assert!(Assertions::default().believed("sts", "agent-1").is_none());
    }

    #[test]
    fn names_lose_the_domains_of_their_issuer_and_no_others() {
        let own = issuer(&["vsphere.local", "CORP"]);
        for (name_id, name) in [
            ("Administrator@VSPHERE.LOCAL", Some("Administrator")),
            ("corp\\alice", Some("alice")),
            ("alice", None),
            ("alice@other.test", None),
            ("alice@other.test@vsphere.local", None),
            ("other\\alice@vsphere.local", None),
            ("corp\\a\\b", None),
            ("corp\\a@vsphere.local", None),
            ("@vsphere.local", None),
            ("corp\\", None),
            ("", None),
        ] {
            assert_eq!(own.name_of(name_id), name, "{name_id}");
        }
        assert_eq!(issuer(&[]).name_of("alice@x"), Some("alice@x"));
    }
}
