//! `[regulation]`: what guessing passwords costs.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::validate::Checker;

/// What guessing passwords costs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegulationSection {
    /// Failed logins of one user, one after the other, that are the last for a while: 10 unless given, 2
    /// to 100.
    #[schemars(with = "Option<u32>")]
    pub max_failures: Option<Spanned<u32>>,
    /// How long that while is: `15m` unless given.
    #[schemars(with = "Option<String>")]
    pub lockout: Option<Spanned<String>>,
    /// Failures are forgotten when none was added for so long: `1h` unless given.
    #[schemars(with = "Option<String>")]
    pub window: Option<Spanned<String>>,
    /// How many failed logins may come from the networks of clients.
    pub networks: Option<Vec<NetworkSection>>,
    /// Tell who is locked out that they are, instead of that the password is wrong: `false` unless given.
    #[serde(default)]
    pub tell: bool,
}

/// How many failed logins may come from one network of a size.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkSection {
    /// Bits of an IPv4 address that make a network.
    #[schemars(with = "u8")]
    pub ipv4_prefix: Spanned<u8>,
    /// Bits of an IPv6 address that make a network.
    #[schemars(with = "u8")]
    pub ipv6_prefix: Spanned<u8>,
    /// Failed logins of all users together, within `window` of the first.
    #[schemars(with = "u32")]
    pub max_failures: Spanned<u32>,
}

/// What guessing passwords costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegulationConfig {
    /// Failed logins of one user, one after the other, that are the last for a while.
    pub max_failures: u32,
    /// How long that while is.
    pub lockout: Duration,
    /// Failures are forgotten when none was added for so long.
    pub window: Duration,
    /// How many failed logins may come from networks, the smallest networks first.
    pub networks: Vec<NetworkLimit>,
    /// Whether who is locked out is told so.
    pub tell: bool,
}

/// How many failed logins may come from one network of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkLimit {
    /// Bits of an IPv4 address that make a network.
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that make a network.
    pub ipv6_prefix: u8,
    /// Failed logins of all users together.
    pub max_failures: u32,
}

impl Default for RegulationConfig {
    /// NIST SP 800-63B (5.2.2) allows at most 100 failures in a row and recommends growing delays; OWASP's
    /// Authentication Cheat Sheet wants a threshold, a window and an end of the lockout. Ten failures are
    /// more than people make who know their password. With `window` longer than `lockout`, whoever goes on
    /// after a lockout has one guess for each further one: about a hundred a day.
    ///
    /// A thousand failures an hour from one address are more than the users of a large office make behind
    /// it, who mistype one password in twenty, and stop a robot that tries one password for every user.
    fn default() -> Self {
        let networks = [(32, 64, 1000), (24, 48, 4000)];
        Self {
            max_failures: 10,
            lockout: Duration::from_mins(15),
            window: Duration::from_hours(1),
            networks: networks
                .map(|(ipv4_prefix, ipv6_prefix, max_failures)| NetworkLimit {
                    ipv4_prefix,
                    ipv6_prefix,
                    max_failures,
                })
                .to_vec(),
            tell: false,
        }
    }
}

/// Checks the section.
pub(super) fn validate(checker: &mut Checker<'_>, section: RegulationSection) -> RegulationConfig {
    let default = RegulationConfig::default();
    let max_failures = section
        .max_failures
        .map_or(default.max_failures, |failures| {
            if !(2..=100).contains(failures.get_ref()) {
                checker.report(&failures, "regulation.max_failures", "must be 2 to 100");
            }
            *failures.get_ref()
        });
    let range = Duration::from_mins(1)..=Duration::from_hours(24);
    let lockout = checker.duration(
        "regulation.lockout",
        section.lockout.as_ref(),
        default.lockout,
        range.clone(),
    );
    let window = checker.duration(
        "regulation.window",
        section.window.as_ref(),
        default.window,
        range,
    );
    let networks = section.networks.map(|networks| {
        let checked = networks.iter().map(|network| limit(checker, network));
        checked.collect()
    });
    RegulationConfig {
        max_failures,
        lockout,
        window,
        networks: networks.unwrap_or(default.networks),
        tell: section.tell,
    }
}

fn limit(checker: &mut Checker<'_>, section: &NetworkSection) -> NetworkLimit {
    let key = "regulation.networks";
    for (prefix, most) in [(&section.ipv4_prefix, 32), (&section.ipv6_prefix, 128)] {
        if !(1..=most).contains(prefix.get_ref()) {
            checker.report(prefix, key, &format!("a prefix must have 1 to {most} bits"));
        }
    }
    if *section.max_failures.get_ref() == 0 {
        let rule = "must be at least 1; leave the network out to set no limit";
        checker.report(&section.max_failures, key, rule);
    }
    NetworkLimit {
        ipv4_prefix: *section.ipv4_prefix.get_ref(),
        ipv6_prefix: *section.ipv6_prefix.get_ref(),
        max_failures: *section.max_failures.get_ref(),
    }
}
