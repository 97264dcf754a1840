//! The decision, rule by rule.

use policy_protocol::Reason;
use policy_protocol::explain::{ExplainAnswer, Finding, Step};
use policy_protocol::message::AuthorizeAnswer;

use super::evaluate::{Bound, Decision, Question, decide};
use super::{Domain, PolicySet, Rule};

impl PolicySet {
    /// What is decided, and every rule of the realms that the resource is in, with what came of it. The
    /// same code decides.
    pub fn explain(&self, question: &Question<'_>) -> ExplainAnswer {
        let bound = self.bound(question);
        let mut steps = Vec::new();
        for domain in &self.domains {
            for (index, _) in domain.covering(question.resource) {
                for rule in domain.rules.iter().filter(|rule| rule.realm == index) {
                    steps.extend(steps_of(domain, rule, &bound, question));
                }
            }
        }
        ExplainAnswer::Explained {
            identity: Box::new(question.identity.clone()),
            realm: self.realm(question.resource).map(str::to_owned),
            steps,
            decision: decide(&bound, question).into(),
        }
    }
}

fn steps_of(
    domain: &Domain,
    rule: &Rule,
    bound: &[Bound<'_>],
    question: &Question<'_>,
) -> Vec<Step> {
    let step = |policy: Option<&str>, finding| Step {
        domain: domain.name.clone(),
        realm: domain.realms[rule.realm].name.clone(),
        rule: rule.name.clone(),
        deny: rule.deny,
        policy: policy.map(str::to_owned),
        finding,
    };
    if !rule.prefix.covers(&question.resource.resource) {
        return vec![step(None, Finding::Resource)];
    }
    let of_rule = bound.iter().filter(|bound| std::ptr::eq(bound.rule, rule));
    let steps: Vec<_> = of_rule
        .map(|bound| step(Some(&bound.policy.name), bound.finding.clone()))
        .collect();
    if steps.is_empty() {
        return vec![step(None, Finding::Unbound)];
    }
    steps
}

impl From<Decision> for AuthorizeAnswer {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow {
                ttl,
                responses,
                redirect,
            } => Self::Yes {
                ttl,
                responses,
                redirect,
            },
            Decision::Deny { ttl, redirect, .. } => Self::No {
                ttl,
                reason: Reason::NONE,
                redirect,
            },
        }
    }
}
