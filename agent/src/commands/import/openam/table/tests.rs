use super::super::super::table::tests::assert_that_nothing_is_dropped;
use super::super::named;
use super::TABLE;

/// The properties that matter to a gateway, without their common prefix.
const KNOWN: &str = "
    notenforced.url notenforced.url.invert notenforced.ip notenforced.url.attributes.enable sso.only cdsso.enable
    cdsso.redirect.uri sso.cache.polling.interval policy.cache.polling.interval policy.clock.skew polling.interval
    notification.enable cookie.name cookie.secure cookie.reset.enable cookie.reset agent.logout.url logout.url
    logout.redirect.url logout.cookie.reset profile.attribute.fetch.mode profile.attribute.mapping
    session.attribute.fetch.mode session.attribute.mapping response.attribute.fetch.mode
    response.attribute.mapping fqdn.check.enable fqdn.default fqdn.mapping login.url postdata.preserve.enable
    postcache.entry.lifetime postdata.preserve.stickysession.mode postdata.preserve.stickysession.value
    client.ip.validation.enable client.ip.header client.hostname.header override.protocol override.host
    override.port agenturi.prefix override.hostmap access.denied.url invalid.url.regex url.comparison.case.ignore
    connect.timeout trust.server.certs username password key naming.url organization.name
";

/// Those with names of their own.
const OTHERS: &str = "
    com.forgerock.agents.notenforced.url.regex.enable org.forgerock.agents.config.notenforced.ipurl
    org.forgerock.openam.agents.config.jwt.name com.forgerock.agents.config.fallback.mode
    com.sun.identity.cookie.httponly org.forgerock.agents.config.logout.session.invalidate
    com.forgerock.agents.config.logout.redirect.disable com.forgerock.agents.conditional.login.url
    org.forgerock.agents.config.conditional.login.pattern org.forgerock.agents.config.conditional.login.url
    org.forgerock.openam.agents.config.allow.custom.login com.forgerock.agents.accept.sso.token
    org.forgerock.agents.config.postdata.preserve.dir com.forgerock.agents.agent.invalid.url.regex
    com.forgerock.agents.ext.url.validation.level com.forgerock.agents.cache_control_header.enable
    org.forgerock.openam.agents.config.policy.evaluation.application
    org.forgerock.openam.agents.config.policy.evaluation.realm
";

#[test]
fn no_property_is_dropped() {
    let prefixed: Vec<String> = KNOWN.split_whitespace().map(named).collect();
    let known = format!("{} {OTHERS}", prefixed.join(" "));
    assert_that_nothing_is_dropped(TABLE, false, &known);
}
