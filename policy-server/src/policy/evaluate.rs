//! The decision.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use policy_protocol::explain::Finding;
use policy_protocol::message::ResponseAttribute;
use policy_protocol::{Identity, ResourceContext, Timestamp};

use super::members::Candidate;
use super::{Domain, Policy, PolicySet, Realm, Rule};

/// Everything that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// Who.
    pub identity: &'q Identity,
    /// What they want to do.
    pub resource: &'q ResourceContext,
    /// Where they are.
    pub from: IpAddr,
    /// When.
    pub at: Timestamp,
}

/// What policies say of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Allowed.
    Allow {
        /// How long that may be kept.
        ttl: Duration,
        /// What to add.
        responses: Vec<ResponseAttribute>,
        /// Where to lead instead.
        redirect: Option<String>,
    },
    /// Denied, by this policy if by any.
    Deny {
        /// How long that may be kept.
        ttl: Duration,
        /// The policy.
        policy: Option<String>,
        /// Where to lead instead.
        redirect: Option<String>,
    },
}

/// A rule that covers the resource, with a policy that has it, and whether that counts.
pub(super) struct Bound<'p> {
    pub(super) domain: &'p Domain,
    pub(super) rule: &'p Rule,
    pub(super) policy: &'p Policy,
    pub(super) finding: Finding,
}

/// The lengths of the longest prefixes that cover a resource, in any case.
#[derive(Clone, Copy, Default)]
struct Longest {
    realm: usize,
    /// Of realms and rules.
    prefix: usize,
}

impl Domain {
    /// The realms that a resource is in.
    pub(super) fn covering<'d, 'r>(
        &'d self,
        resource: &'r ResourceContext,
    ) -> impl Iterator<Item = (usize, &'d Realm)> + use<'d, 'r> {
        let host = resource.server.to_ascii_lowercase();
        self.realms.iter().enumerate().filter(move |(_, realm)| {
            realm.hosts.iter().any(|pattern| pattern.matches(&host))
                && realm.prefix.covers(&resource.resource)
        })
    }

    fn is_for(&self, identity: &Identity) -> bool {
        self.directories.is_empty() || self.directories.contains(&identity.directory.name)
    }
}

impl Rule {
    /// Why the rule would not count for anybody; nothing if it would.
    fn unmet(
        &self,
        realm: &Realm,
        longest: Longest,
        resource: &ResourceContext,
    ) -> Option<Finding> {
        if !self.actions.is_empty() && !self.actions.contains(&resource.action) {
            return Some(Finding::Action);
        }
        if self.deny {
            return None;
        }
        if !self.prefix.is_exact(&resource.resource) {
            return Some(Finding::Case);
        }
        let is_longest = self.prefix.len() == longest.prefix && realm.prefix.len() == longest.realm;
        (!is_longest).then_some(Finding::LongerPrefix)
    }
}

impl Policy {
    /// Why the policy is not for this user, place and time; nothing if it is.
    fn unmet(&self, user: &Candidate<'_>, question: &Question<'_>) -> Option<Finding> {
        if let Some(finding) = self.members.unmet(user) {
            return Some(finding);
        }
        let from = question.from.to_canonical();
        let is_listed = self.networks.iter().any(|network| network.contains(&from));
        if !self.networks.is_empty() && !is_listed {
            return Some(Finding::Network);
        }
        let schedule = self.schedule.as_ref();
        let is_closed = schedule.is_some_and(|schedule| !schedule.is_open(question.at));
        is_closed.then_some(Finding::Time)
    }

    /// How long what is said now may be believed.
    fn holds(&self, at: Timestamp) -> Duration {
        let schedule = self.schedule.as_ref();
        schedule.map_or(self.ttl, |schedule| schedule.holds(at, self.ttl))
    }
}

impl PolicySet {
    /// The realm of a resource: that of the longest prefix, and of two that differ in case only, the one
    /// that is written as the resource is.
    pub(crate) fn realm<'p>(&'p self, resource: &ResourceContext) -> Option<&'p str> {
        let domains = self.domains.iter();
        let covering = domains.flat_map(|domain| domain.covering(resource));
        covering
            .max_by_key(|(_, realm)| {
                (
                    realm.prefix.len(),
                    realm.prefix.is_exact(&resource.resource),
                )
            })
            .map(|(_, realm)| realm.name.as_str())
    }

    /// Every rule that covers the resource, once for each policy that has it, in the order of the policies.
    pub(super) fn bound<'p>(&'p self, question: &Question<'_>) -> Vec<Bound<'p>> {
        let resource = question.resource;
        let longest = self.longest(resource);
        let user = Candidate::new(question.identity);
        let mut bound = Vec::new();
        for domain in &self.domains {
            let realms: HashSet<_> = domain.covering(resource).map(|(index, _)| index).collect();
            if realms.is_empty() {
                continue;
            }
            for policy in &domain.policies {
                let rules = policy.rules.iter().map(|rule| &domain.rules[*rule]);
                let covering = rules.filter(|rule| {
                    realms.contains(&rule.realm) && rule.prefix.covers(&resource.resource)
                });
                for rule in covering {
                    let finding = rule
                        .unmet(&domain.realms[rule.realm], longest, resource)
                        .or_else(|| {
                            (!domain.is_for(question.identity)).then_some(Finding::Directory)
                        })
                        .or_else(|| policy.unmet(&user, question));
                    bound.push(Bound {
                        domain,
                        rule,
                        policy,
                        finding: finding.unwrap_or(Finding::Applies),
                    });
                }
            }
        }
        bound
    }

    fn longest(&self, resource: &ResourceContext) -> Longest {
        let mut longest = Longest::default();
        for domain in &self.domains {
            for (index, realm) in domain.covering(resource) {
                longest.realm = longest.realm.max(realm.prefix.len());
                let rules = domain.rules.iter().filter(|rule| rule.realm == index);
                let covering = rules.filter(|rule| rule.prefix.covers(&resource.resource));
                let longest_rule = covering.map(|rule| rule.prefix.len()).max();
                longest.prefix = longest
                    .prefix
                    .max(longest_rule.unwrap_or(realm.prefix.len()));
            }
        }
        longest
    }

    /// Decides.
    ///
    /// A denial counts wherever its prefix reaches, in any case of letters. A permission counts only for
    /// the case it is written in, only if no rule or realm has a longer prefix for the resource in any
    /// case, and only in its own realm: letting everybody into `/` lets them neither into `/admin` nor into
    /// `/ADMIN`, once there is a rule for `/admin`.
    pub(crate) fn decide(&self, question: &Question<'_>) -> Decision {
        decide(&self.bound(question), question)
    }
}

/// Decides by what was found.
pub(super) fn decide(bound: &[Bound<'_>], question: &Question<'_>) -> Decision {
    // What no policy is about is not kept at all: the next policies may be about it.
    let ttl = bound.iter().map(|bound| bound.policy.holds(question.at));
    let ttl = ttl.min().unwrap_or_default();
    let applying = |deny| {
        let applies =
            move |bound: &&Bound<'_>| bound.rule.deny == deny && bound.finding == Finding::Applies;
        bound.iter().filter(applies)
    };
    if let Some(denial) = applying(true).next() {
        return Decision::Deny {
            ttl,
            policy: Some(denial.policy.name.clone()),
            redirect: applying(true).find_map(|bound| bound.policy.on_reject_redirect.clone()),
        };
    }
    if applying(false).next().is_none() {
        let wanted = bound.iter().filter(|bound| bound.would_allow());
        return Decision::Deny {
            ttl,
            policy: None,
            redirect: wanted
                .filter_map(|bound| bound.policy.on_reject_redirect.clone())
                .next(),
        };
    }
    let mut seen = HashSet::new();
    let responses: Vec<_> = applying(false)
        .flat_map(|bound| {
            let places = bound.policy.responses.iter();
            places.map(|place| &bound.domain.responses[*place])
        })
        .filter(|response| seen.insert(std::ptr::from_ref(*response)))
        .collect();
    let ttls = responses.iter().filter_map(|response| response.ttl);
    Decision::Allow {
        ttl: ttls.min().map_or(ttl, |least| least.min(ttl)),
        redirect: applying(false).find_map(|bound| bound.policy.on_accept_redirect.clone()),
        responses: responses
            .into_iter()
            .filter_map(|response| response.render(question.identity))
            .collect(),
    }
}

impl Bound<'_> {
    /// Whether the rule allows the action to others, or elsewhere, or at another time.
    fn would_allow(&self) -> bool {
        let is_about_the_user = match self.finding {
            Finding::User
            | Finding::Group
            | Finding::Attribute { .. }
            | Finding::Excluded
            | Finding::Network
            | Finding::Time => true,
            Finding::Applies
            | Finding::Resource
            | Finding::Unbound
            | Finding::Action
            | Finding::Case
            | Finding::LongerPrefix
            | Finding::Directory => false,
        };
        is_about_the_user && !self.rule.deny
    }
}
