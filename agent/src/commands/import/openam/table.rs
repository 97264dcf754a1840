//! Every property of agents that is known, and what becomes of it.

use super::super::draft::Kind::{Closed, Missing, Nothing, Weaker};
use super::super::shared::{self, LOGS, PAGES};
use super::super::table::Fate::{IfOff, IfOn, Listed, Secret, Taken};
use super::super::table::Table;
use super::{hosts, notenforced};

const SERVER: &str = "give the addresses of Doorward's policy servers in policy_server.urls";
const TLS: &str =
    "TLS to policy servers is set in [policy_server]: ca_file, client_cert_file, client_key_file";
const LOGIN: &str = "users log in on the agent's own page, below login.path";
const NO_RULE: &str =
    "nothing passes without a session because of where it comes from: stays protected";
const FORWARDED: &str =
    "X-Forwarded-For and X-Forwarded-Proto are read, from trusted_proxies only: list yours";
const OVERRIDE: &str = "X-Forwarded-Proto is believed from trusted_proxies, and the host is taken as the client sends it";
const CACHE: &str =
    "decisions are kept as long as the policy's ttl says, and dropped when policies change";
const RESET: &str =
    "cookies of applications are left alone: let the application end them on logout";
const COOKIE_HEADERS: &str = "attributes go to applications in headers: [[realms.responses]]";
const PUSHED: &str = "the end of a session is pushed to every agent";
const POLICIES: &str =
    "policies are those of Doorward's policy server, written anew in its policies_file";
const CONTAINER: &str = "there is no container to tell: the user is in the header SM_USER";

/// By name, in groups by purpose.
#[rustfmt::skip] // one row, one line
pub(super) const TABLE: Table = &[
    // Who the agent is, and whom it asks
    ("com.sun.identity.agents.config.username", Taken(super::agent_name)),
    ("com.sun.identity.agents.app.username", Taken(super::agent_name)),
    ("com.sun.identity.agents.config.profilename", Taken(super::agent_name)),
    ("com.sun.identity.agents.config.password", Secret("register the agent with `doorward agents add`, and name the file with its secret")),
    ("com.iplanet.am.service.secret", Secret("register the agent with `doorward agents add`, and name the file with its secret")),
    ("com.sun.identity.agents.config.key", Secret("nothing here is encrypted with it")),
    ("am.encryption.pwd", Secret("nothing here is encrypted with it")),
    ("com.sun.identity.agents.config.replaypasswd.key", Secret("passwords are never replayed")),
    ("com.sun.identity.agents.config.naming.url", Listed(Missing, SERVER)),
    ("com.iplanet.am.naming.url", Listed(Missing, SERVER)),
    ("com.iplanet.am.services.deploymentDescriptor", Listed(Missing, SERVER)),
    ("com.iplanet.am.server.protocol", Listed(Missing, SERVER)),
    ("com.iplanet.am.server.host", Listed(Missing, SERVER)),
    ("com.iplanet.am.server.port", Listed(Missing, SERVER)),
    ("com.sun.identity.agents.config.organization.name", Listed(Missing, "there is one realm of users: the directories of the policy server")),
    ("com.sun.identity.agents.config.repository.location", Listed(Nothing, "the local file is all there is")),
    ("com.sun.identity.agents.config.polling.interval", Listed(Nothing, "changes of the file are noticed within seconds")),
    ("com.sun.identity.agents.config.cleanup.interval", Listed(Nothing, "what has ended is dropped at once")),
    ("com.sun.identity.agents.config.lock.enable", Listed(Nothing, "what needs a restart says so when the file changes")),
    ("com.sun.identity.agents.config.freeformproperties", Listed(Weaker, "find out what it sets, and whether it protects anything")),
    ("com.forgerock.agents.config.hostmap", Listed(Missing, "names are looked up by the system")),
    ("com.forgerock.agents.init.retry.max", Listed(Nothing, "policy servers are asked again until they answer")),
    ("com.forgerock.agents.init.retry.wait", Listed(Nothing, "policy servers are asked again until they answer")),
    ("com.sun.identity.agents.config.connect.timeout", Listed(Missing, "policy_server.timeout is for a whole call")),
    ("com.sun.identity.agents.config.trust.server.certs", IfOn(Closed, "a policy server's certificate is always checked: policy_server.ca_file")),
    ("com.forgerock.agents.config.cert.key", Listed(Missing, TLS)),
    ("com.forgerock.agents.config.cert.key.password", Secret("keys are PEM files without a password, readable by the agent only")),
    ("com.forgerock.agents.config.cert.file", Listed(Missing, TLS)),
    ("com.forgerock.agents.config.cert.ca.file", Listed(Missing, TLS)),
    ("com.forgerock.agents.config.ciphers", Listed(Nothing, "TLS 1.2 and 1.3 with sound ciphers only")),
    ("org.forgerock.agents.config.tls", Listed(Nothing, "TLS 1.2 and 1.3 with sound ciphers only")),
    ("com.forgerock.agents.ext.url.validation.level", Listed(Nothing, "policy servers are always checked")),
    ("com.forgerock.agents.ext.url.validation.ping.interval", Listed(Nothing, "policy servers are always checked")),
    ("com.forgerock.agents.ext.url.validation.ping.miss.count", Listed(Nothing, "policy servers are always checked")),
    ("com.forgerock.agents.ext.url.validation.ping.ok.count", Listed(Nothing, "policy servers are always checked")),
    ("com.forgerock.agents.ext.url.validation.default.url.set", Listed(Nothing, "policy servers are always checked")),
    ("com.sun.identity.agents.config.load.balancer.enable", Listed(Missing, "policy servers are listed one by one in policy_server.urls")),
    ("com.sun.identity.agents.config.ignore.preferred.naming.url", Listed(Nothing, "the addresses in the file are the ones that are asked")),
    ("com.sun.identity.agents.config.forward.proxy.host", Listed(Missing, "policy servers are asked directly")),
    ("com.sun.identity.agents.config.forward.proxy.port", Listed(Missing, "policy servers are asked directly")),
    ("com.sun.identity.agents.config.forward.proxy.user", Listed(Missing, "policy servers are asked directly")),
    ("com.sun.identity.agents.config.forward.proxy.password", Secret("policy servers are asked directly")),
    ("com.forgerock.agents.config.fallback.mode", IfOn(Closed, "what cannot be checked is refused; policy_server.outage_grace is the exception")),
    // Sessions, notifications and policies
    ("com.sun.identity.agents.config.sso.only", Taken(super::sso_only)),
    ("com.sun.identity.agents.config.filter.mode", Listed(Missing, "the realm's authorize says whether policies are asked")),
    ("com.sun.identity.agents.config.sso.cache.polling.interval", Listed(Missing, "set validation_period of a realm; its unit there was seconds or minutes, by version")),
    ("com.sun.identity.agents.config.policy.cache.polling.interval", Listed(Missing, CACHE)),
    ("com.sun.identity.agents.config.policy.clock.skew", Listed(Nothing, "no decision carries a time of day")),
    ("com.sun.identity.agents.config.notification.enable", Listed(Nothing, PUSHED)),
    ("com.sun.identity.client.notification.url", Listed(Nothing, PUSHED)),
    ("com.sun.identity.agents.config.fetch.from.root.resource", Listed(Missing, POLICIES)),
    ("org.forgerock.openam.agents.config.policy.evaluation.application", Listed(Missing, POLICIES)),
    ("org.forgerock.openam.agents.config.policy.evaluation.realm", Listed(Missing, POLICIES)),
    ("com.sun.identity.agents.config.continuous.security.cookies", Listed(Weaker, "policies here do not see cookies: write anew those that did")),
    ("com.sun.identity.agents.config.continuous.security.headers", Listed(Weaker, "policies here do not see headers: write anew those that did")),
    ("org.forgerock.openam.agents.config.continuous.security.cookies", Listed(Weaker, "policies here do not see cookies: write anew those that did")),
    ("org.forgerock.openam.agents.config.continuous.security.headers", Listed(Weaker, "policies here do not see headers: write anew those that did")),
    ("com.sun.am.use_redirect_for_advice", Listed(Nothing, "a step-up is a redirect to the login page")),
    ("com.sun.identity.agents.config.userid.param", Listed(Missing, "the user's name is in the header SM_USER")),
    ("com.sun.identity.agents.config.userid.param.type", Listed(Missing, "the user's name is in the header SM_USER")),
    ("com.sun.identity.agents.config.get.client.host.name", IfOn(Missing, "names of clients are never looked up: write networks in rules")),
    // What is not enforced
    ("com.sun.identity.agents.config.notenforced.url", Taken(notenforced::url)),
    ("com.sun.identity.agents.config.notenforced.url.invert", Taken(notenforced::invert)),
    ("com.forgerock.agents.notenforced.url.regex.enable", IfOn(Closed, "no regular expression opens anything")),
    ("com.sun.identity.agents.config.notenforced.regex.enable", IfOn(Closed, "no regular expression opens anything")),
    ("com.sun.identity.agents.config.notenforced.url.regex.enable", IfOn(Closed, "no regular expression opens anything")),
    ("com.sun.identity.agents.config.notenforced.url.attributes.enable", IfOn(Missing, "what passes without a session passes as nobody in particular")),
    ("com.sun.identity.agents.config.notenforced.ip", Listed(Closed, NO_RULE)),
    ("org.forgerock.agents.config.notenforced.ipurl", Listed(Closed, NO_RULE)),
    ("org.forgerock.agents.config.notenforced.ext.regex.enable", Listed(Closed, NO_RULE)),
    ("com.sun.identity.agents.config.notenforced.uri", Listed(Closed, "agents in Java compare these in their own way: stays protected; write what is meant in ignore_paths of a realm")),
    ("com.sun.identity.agents.config.notenforced.uri.invert", IfOn(Closed, "everything is protected")),
    ("com.sun.identity.agents.config.notenforced.uri.cache.enable", Listed(Nothing, "no cache is needed")),
    ("com.sun.identity.agents.config.notenforced.uri.cache.size", Listed(Nothing, "no cache is needed")),
    ("com.sun.identity.agents.config.notenforced.ip.invert", IfOn(Closed, NO_RULE)),
    ("com.sun.identity.agents.config.notenforced.ip.cache.enable", Listed(Nothing, "no cache is needed")),
    ("com.sun.identity.agents.config.notenforced.ip.cache.size", Listed(Nothing, "no cache is needed")),
    ("com.forgerock.agents.agent.invalid.url.regex", Listed(Weaker, "a path with two readings is refused, but no pattern refuses more: let the application do it")),
    ("com.sun.identity.agents.config.invalid.url.regex", Listed(Weaker, "a path with two readings is refused, but no pattern refuses more: let the application do it")),
    ("com.sun.identity.agents.config.url.comparison.case.ignore", Listed(Nothing, "a path whose case leads to another realm is refused")),
    ("com.sun.identity.agents.config.ignore.path.info", IfOn(Nothing, "a path is compared whole")),
    // Cookies
    ("com.sun.identity.agents.config.cookie.name", Listed(Missing, "the session cookie is named by its zone: session.zone")),
    ("com.iplanet.am.cookie.name", Listed(Missing, "the session cookie is named by its zone: session.zone")),
    ("com.sun.identity.agents.config.cookie.secure", Listed(Nothing, "always")),
    ("com.sun.identity.cookie.httponly", Listed(Nothing, "always")),
    ("com.sun.identity.agents.config.cookie.samesite", Taken(shared::same_site)),
    ("org.forgerock.openam.agents.config.cookie.samesite", Taken(shared::same_site)),
    ("com.sun.identity.agents.config.cookie.reset.enable", IfOn(Missing, RESET)),
    ("com.sun.identity.agents.config.cookie.reset", Listed(Missing, RESET)),
    ("com.sun.identity.agents.config.encode.cookie.special.chars.enable", Listed(Nothing, "the cookie has letters, digits, `-` and `_` only")),
    ("com.sun.identity.agents.config.encode.url.special.chars.enable", Listed(Nothing, "a path is decided on in one form, which is the one that is forwarded")),
    ("com.sun.identity.agents.config.cdsso.enable", IfOn(Missing, "single sign-on over several cookie domains is not there yet")),
    ("com.sun.identity.agents.config.cdsso.cdcservlet.url", Listed(Missing, LOGIN)),
    ("com.sun.identity.agents.config.cdsso.redirect.uri", Listed(Missing, LOGIN)),
    ("com.sun.identity.agents.config.cdsso.cookie.domain", Taken(super::cookie_domain)),
    ("org.forgerock.openam.agents.config.jwt.name", Listed(Missing, "the session cookie is named by its zone: session.zone")),
    ("com.forgerock.agents.accept.sso.token", IfOn(Closed, "only cookies made by an agent with the same keys are accepted")),
    // Login and logout
    ("com.sun.identity.agents.config.login.url", Listed(Missing, LOGIN)),
    ("com.forgerock.agents.conditional.login.url", Listed(Missing, LOGIN)),
    ("org.forgerock.agents.config.conditional.login.pattern", Listed(Missing, LOGIN)),
    ("org.forgerock.agents.config.conditional.login.url", Listed(Missing, LOGIN)),
    ("org.forgerock.openam.agents.config.allow.custom.login", IfOn(Missing, LOGIN)),
    ("com.sun.identity.agents.config.redirect.param", Listed(Missing, LOGIN)),
    ("com.sun.identity.agents.config.agent.logout.url", Taken(super::logout_url)),
    ("com.sun.identity.agents.config.agent.logout.url.regex.enable", IfOn(Missing, "no regular expression logs out")),
    ("org.forgerock.agents.config.logout.regex.enable", IfOn(Missing, "no regular expression logs out")),
    ("com.sun.identity.agents.config.logout.url", Listed(Missing, "logout ends the session at the policy server")),
    ("com.sun.identity.agents.config.logout.redirect.url", Taken(super::logout_target)),
    ("com.sun.identity.agents.config.logout.cookie.reset", Listed(Missing, RESET)),
    ("org.forgerock.agents.config.logout.session.invalidate", IfOff(Nothing, "logout always ends the session")),
    ("com.forgerock.agents.config.logout.redirect.disable", IfOn(Missing, "logout always shows a page or leads to login.logout_target")),
    ("com.sun.identity.agents.config.access.denied.url", Listed(Missing, PAGES)),
    // Kept requests
    ("com.sun.identity.agents.config.postdata.preserve.enable", Taken(shared::preserve_posts)),
    ("com.sun.identity.agents.config.postcache.entry.lifetime", Listed(Nothing, "a request is kept for ten minutes, and sent once")),
    ("com.sun.identity.agents.config.postdata.preserve.stickysession.mode", Listed(Missing, "a kept request is with the agent that kept it: let the load balancer stay with it")),
    ("com.sun.identity.agents.config.postdata.preserve.stickysession.value", Listed(Missing, "a kept request is with the agent that kept it: let the load balancer stay with it")),
    ("com.sun.identity.agents.config.postdata.preserve.lbcookie", Listed(Missing, "a kept request is with the agent that kept it: let the load balancer stay with it")),
    ("org.forgerock.agents.config.postdata.preserve.dir", Listed(Nothing, "requests are kept in memory")),
    ("org.forgerock.agents.pdp.javascript.repost", Listed(Nothing, "a kept request is sent on without a page in between")),
    // Hosts, proxies and clients
    ("com.sun.identity.agents.config.fqdn.check.enable", Listed(Nothing, "only hosts of realms are answered for")),
    ("com.sun.identity.agents.config.fqdn.default", Taken(hosts::default_host)),
    ("com.sun.identity.agents.config.fqdn.mapping", Taken(hosts::mapping)),
    ("com.sun.identity.agents.config.agenturi.prefix", Listed(Missing, "the agent's own pages are below login.path, on every host")),
    ("sunIdentityServerDeviceKeyValue", Listed(Missing, "the agent's own pages are below login.path, on every host")),
    ("com.sun.identity.agents.config.override.protocol", IfOn(Missing, OVERRIDE)),
    ("com.sun.identity.agents.config.override.host", IfOn(Missing, OVERRIDE)),
    ("com.sun.identity.agents.config.override.port", IfOn(Missing, OVERRIDE)),
    ("com.sun.identity.agents.config.override.hostmap", Listed(Missing, OVERRIDE)),
    ("com.sun.identity.agents.config.override.notification.url", IfOn(Nothing, PUSHED)),
    ("com.sun.identity.agents.config.proxy.override.host.port", IfOn(Missing, OVERRIDE)),
    ("com.sun.identity.agents.config.client.ip.validation.enable", Taken(super::address_check)),
    ("com.sun.identity.agents.config.client.ip.header", Listed(Missing, FORWARDED)),
    ("com.sun.identity.agents.config.client.hostname.header", Listed(Missing, "names of clients are never looked up: write networks in rules")),
    // What applications are told
    ("com.sun.identity.agents.config.profile.attribute.fetch.mode", Listed(Nothing, COOKIE_HEADERS)),
    ("com.sun.identity.agents.config.profile.attribute.mapping", Taken(super::profile_attribute)),
    ("com.sun.identity.agents.config.session.attribute.fetch.mode", Listed(Nothing, COOKIE_HEADERS)),
    ("com.sun.identity.agents.config.session.attribute.mapping", Taken(super::other_attribute)),
    ("com.sun.identity.agents.config.response.attribute.fetch.mode", Listed(Nothing, COOKIE_HEADERS)),
    ("com.sun.identity.agents.config.response.attribute.mapping", Taken(super::other_attribute)),
    ("com.sun.identity.agents.config.attribute.multi.value.separator", Listed(Missing, "several values are joined with `^`")),
    ("com.sun.identity.agents.config.profile.attribute.cookie.prefix", Listed(Missing, COOKIE_HEADERS)),
    ("com.sun.identity.agents.config.profile.attribute.cookie.maxage", Listed(Missing, COOKIE_HEADERS)),
    ("com.forgerock.agents.cache_control_header.enable", Listed(Nothing, "answers to users get `Cache-Control: private, no-store` unless the application says otherwise")),
    ("com.sun.identity.agents.config.user.mapping.mode", Listed(Missing, CONTAINER)),
    ("com.sun.identity.agents.config.user.attribute.name", Listed(Missing, CONTAINER)),
    ("com.sun.identity.agents.config.user.principal", Listed(Missing, CONTAINER)),
    ("com.sun.identity.agents.config.user.token", Listed(Missing, CONTAINER)),
    ("com.sun.identity.agents.config.iis.logonuser", IfOn(Missing, CONTAINER)),
    ("com.sun.identity.agents.config.iis.password.header", IfOn(Nothing, "passwords never reach applications")),
    // Logs
    ("com.sun.identity.agents.config.debug.level", Listed(Missing, "the level is log.filter")),
    ("com.sun.identity.agents.config.debug.file.size", Listed(Missing, LOGS)),
    ("com.sun.identity.agents.config.debug.file.rotate", Listed(Missing, LOGS)),
    ("com.iplanet.services.debug.directory", Listed(Missing, LOGS)),
    ("com.sun.identity.agents.config.local.logfile", Listed(Missing, LOGS)),
    ("com.sun.identity.agents.config.local.audit.logfile", Listed(Missing, LOGS)),
    ("com.sun.identity.agents.config.local.log.size", Listed(Missing, LOGS)),
    ("com.sun.identity.agents.config.local.log.rotate", Listed(Missing, LOGS)),
    ("com.sun.identity.agents.config.remote.logfile", Listed(Missing, LOGS)),
    ("com.sun.identity.agents.config.log.disposition", Listed(Missing, LOGS)),
    ("com.sun.identity.agents.config.audit.accesstype", Listed(Missing, "every request is in the access log, and what the policy server decides in its audit records")),
];

#[cfg(test)]
mod tests;
