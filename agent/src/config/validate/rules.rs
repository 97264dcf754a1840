//! Checks `[[realms.rules]]`.

use super::{names, unique};
use crate::access::protection::covers;
use crate::config::Rule;
use crate::config::file::realms as file;
use crate::config::report::Spot;

/// The rules of a realm. They are only checked where there is a `spot`, which inherited ones have not.
pub(super) fn rules(
    rules: &[file::Rule],
    realm: Option<&str>,
    spot: Option<&Spot<'_>>,
) -> Option<Vec<Rule>> {
    let mut sound = true;
    if let Some(spot) = spot {
        let names = rules.iter().enumerate();
        let names = names.filter_map(|(index, rule)| {
            Some((rule.name.as_deref()?, spot.index(index).key("name")))
        });
        sound = unique(names, "the name");
        for (index, rule) in rules.iter().enumerate() {
            sound &= is_sound(rule, realm, &spot.index(index));
        }
    }
    let checked = rules.iter().map(rule).collect::<Option<Vec<_>>>();
    checked.filter(|_| sound)
}

fn is_sound(rule: &file::Rule, realm: Option<&str>, spot: &Spot<'_>) -> bool {
    let mut sound = true;
    let anything = rule.users.is_empty()
        && rule.groups.is_empty()
        && rule.attributes.is_empty()
        && rule.networks.is_empty()
        && rule.methods.is_empty()
        && rule.resource.is_none();
    if anything {
        spot.problem_with_hint(
            "the rule has no condition",
            "give it `users`, `groups`, `attributes`, `networks`, `methods` or `resource`",
        );
        sound = false;
    }
    for (name, values) in &rule.attributes {
        if values.is_empty() {
            spot.key("attributes")
                .key(name)
                .problem("no value is possible, so the rule never matches");
            sound = false;
        }
    }
    if let Some(resource) = &rule.resource {
        let spot = spot.key("resource");
        match names::resource(resource) {
            Ok(resource) if realm.is_some_and(|realm| !covers(realm, &resource)) => {
                spot.problem("not in this realm, so the rule never matches");
                sound = false;
            }
            Ok(_) => {}
            Err(what) => {
                spot.problem(what);
                sound = false;
            }
        }
    }
    sound
}

fn rule(rule: &file::Rule) -> Option<Rule> {
    let attributes = rule
        .attributes
        .iter()
        .map(|(name, values)| (name.clone(), values.clone()));
    Some(Rule {
        name: rule.name.clone()?,
        deny: rule.effect == file::Effect::Deny,
        users: rule.users.clone(),
        groups: rule.groups.clone(),
        attributes: attributes.collect(),
        networks: rule.networks.iter().map(|network| network.0).collect(),
        methods: rule.methods.iter().map(|method| method.0.clone()).collect(),
        resource: rule.resource.clone(),
    })
}
