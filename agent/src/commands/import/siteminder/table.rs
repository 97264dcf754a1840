//! Every parameter of agent configurations that is known, and what becomes of it.

use super::super::draft::Kind::{Closed, Missing, Nothing, Weaker};
use super::super::shared::{self, LOGS, PAGES};
use super::super::table::Fate::{IfOff, IfOn, Listed, Secret, Taken};
use super::super::table::Table;
use super::{characters, cookies, open};

const PROVIDER: &str =
    "there is no cookie provider: single sign-on over several cookie domains is not there yet";
const RESOURCES: &str = "realms are known, so there is no cache of them";
const NO_COLLECTOR: &str = "the login page is served below login.path, whatever the extension";
const CACHING: &str =
    "answers to users get `Cache-Control: private, no-store` unless the application says otherwise";
const FRONT: &str = "no agent believes another: each checks the session itself";
const HOST_NAMES: &str = "the host is taken as the client sends it: name it in hosts of a realm, and redirect others elsewhere";
const QUERY: &str = "queries pass untouched and unchecked: let the application refuse them";

/// By name, in groups by purpose.
#[rustfmt::skip] // one row, one line
pub(super) const TABLE: Table = &[
    // Identity and general
    ("EnableWebAgent", IfOff(Closed, "the agent was off and everything passed; here it is on while it runs")),
    ("AgentName", Taken(super::agent_name)),
    ("DefaultAgentName", Taken(super::default_agent_name)),
    ("UseServerRequestIp", IfOn(Missing, "realms are found by the host that the client names")),
    ("DefaultHostName", Listed(Closed, "a request without a Host is refused")),
    ("LegalHostNameChars", Listed(Nothing, "a host has letters, digits, hyphens, dots and underscores, or the answer is 400")),
    ("ForceFQHost", IfOn(Missing, HOST_NAMES)),
    ("ForceCookieDomain", IfOn(Missing, HOST_NAMES)),
    ("HttpsPorts", Listed(Missing, "the scheme is that of the listener, or X-Forwarded-Proto from trusted_proxies")),
    ("xforwardedproto", IfOn(Missing, "X-Forwarded-Proto is believed from trusted_proxies")),
    ("PSPollInterval", Listed(Nothing, "changes are pushed")),
    ("AllowLocalConfig", Listed(Nothing, "the local file is all there is")),
    // What addresses may have
    ("BadUrlChars", Taken(characters::in_paths)),
    ("BadQueryChars", Listed(Weaker, QUERY)),
    ("CSSChecking", IfOn(Weaker, "addresses are not searched for scripts: let the application escape what it writes")),
    ("BadCSSChars", Listed(Weaker, "addresses are not searched for scripts: let the application escape what it writes")),
    ("BadFormChars", Listed(Nothing, "what the pages show is always escaped")),
    ("Fcchtmlencoding", Listed(Nothing, "what the pages show is always escaped")),
    ("FCCHTMLEncodingChars", Listed(Nothing, "what the pages show is always escaped")),
    ("DisallowUTF8NonCanonical", Listed(Nothing, "a path that is not UTF-8 in its shortest form is always refused")),
    ("DecodeQueryData", IfOn(Missing, "queries play no part in decisions")),
    ("IgnoreQueryData", IfOff(Missing, "queries play no part in decisions: policies that need one must be written anew")),
    ("MaxUrlSize", Listed(Missing, "limits.head_size bounds the whole head of a request, 32KiB unless it is set")),
    ("URITransform", Listed(Weaker, "addresses are not rewritten before decisions: policies that need it must be written anew")),
    ("RejectNonASCII", IfOn(Weaker, "a path in UTF-8 has one reading and passes: let the application refuse it")),
    // What passed without a session
    ("IgnoreExt", Taken(open::extensions)),
    ("OverrideIgnoreExtFilter", Listed(Nothing, "no extension is ignored where this makes exceptions")),
    ("DisableDotDotRule", IfOn(Closed, "an extension is ignored only in a path with one dot")),
    ("IgnoreUrl", Taken(open::urls)),
    ("IgnoreHost", Taken(open::hosts)),
    ("AutoAuthorizeOptions", IfOn(Closed, "no method passes without a session")),
    ("AutoAuthorizeHttpMethods", Listed(Closed, "no method passes without a session")),
    ("SecureApps", IfOn(Nothing, "no extension is ignored where this is on, and a path with two readings is refused")),
    // Cookies
    ("CookieDomain", Taken(cookies::domain)),
    ("CookieDomainScope", Listed(Missing, "write the domain in session.cookie_domain; without it a cookie belongs to one host")),
    ("ConformToRFC6265", Listed(Nothing, "a cookie without session.cookie_domain belongs to one host")),
    ("CookiePath", Listed(Missing, "the path of cookies is `/`")),
    ("CookiePathScope", Listed(Missing, "the path of cookies is `/`")),
    ("MasterCookiePath", Listed(Missing, "the path of cookies is `/`")),
    ("UseSecureCookies", Listed(Nothing, "always")),
    ("UseSecureCPCookies", Listed(Nothing, "always")),
    ("UseHttpOnlyCookies", Listed(Nothing, "always")),
    ("Samesite", Taken(shared::same_site)),
    ("samesiteincompatibleuseragents", Listed(Missing, "every browser gets the same attribute")),
    ("getcpcookie", Listed(Missing, PROVIDER)),
    ("PersistentCookies", Taken(cookies::persistent_cookies)),
    ("TransientIDCookies", Listed(Nothing, "there is no identity cookie")),
    ("RequireCookies", Listed(Nothing, "Basic works without cookies, and sets one")),
    ("SSOZoneName", Taken(cookies::zone)),
    ("SSOTrustedZone", Taken(cookies::trusted_zones)),
    ("CookieProvider", Listed(Missing, PROVIDER)),
    ("EnableCookieProvider", IfOn(Missing, PROVIDER)),
    ("LimitCookieProvider", IfOn(Nothing, PROVIDER)),
    ("TrackCPSessionDomain", IfOn(Nothing, PROVIDER)),
    ("IgnoreCPForNotprotected", IfOn(Nothing, PROVIDER)),
    ("AcceptTPCookie", IfOn(Closed, "only cookies made by an agent with the same keys are accepted")),
    ("TrackSessionDomain", IfOn(Weaker, "the cookie's domain is not in the cookie: leave session.cookie_domain out, so that it belongs to one host")),
    ("CookieValidationPeriod", Listed(Nothing, "no cookie travels in a redirect")),
    ("ExpiredCookieURL", Listed(Nothing, "no cookie travels in a redirect")),
    ("StoreSessioninServer", Listed(Nothing, "no cookie travels in a redirect")),
    // Sessions
    ("SessionGracePeriod", Taken(super::grace_period)),
    ("SessionUpdatePeriod", Listed(Nothing, "there is no cookie provider to update")),
    ("EnforceRealmTimeouts", Listed(Nothing, "a realm's timeouts always hold: idle_timeout and max_timeout")),
    ("compatRealmtimeouts", Listed(Nothing, "a realm's timeouts always hold: idle_timeout and max_timeout")),
    ("IdleTimeoutURL", Listed(Missing, "the login page says what happened")),
    ("MaxTimeoutURL", Listed(Missing, "the login page says what happened")),
    ("OverlookSessionForMethods", Taken(cookies::overlook_methods)),
    ("OverlookSessionForUrls", Taken(cookies::overlook_urls)),
    ("OverlookSessionForMethodUri", Taken(cookies::overlook_method_and_url)),
    ("OverlookSessionForQuery", Listed(Weaker, "queries play no part, so such requests keep sessions alive: write [[session.overlook]]")),
    ("OverlookSessionAsPattern", IfOn(Missing, "no patterns: write prefixes in [[session.overlook]]")),
    ("LogoffUri", Taken(super::logout_paths)),
    ("WebAppClientResponse", Listed(Missing, "scripts get 401 with a JSON problem, or redirects with redirect_scripts of a realm")),
    ("UseSessionForAnonymous", IfOn(Missing, "what passes without a session passes as nobody in particular")),
    // Caches and audit
    ("MaxSessionCacheSize", Taken(super::session_cache)),
    ("MaxResourceCacheSize", Listed(Nothing, RESOURCES)),
    ("ResourceCacheTimeout", Listed(Nothing, RESOURCES)),
    ("MaxAuthorizationCacheSize", Listed(Nothing, "decisions are kept as long as the policy's ttl says, in 64 MiB")),
    ("AuthorizationCacheTimeout", Listed(Missing, "a policy of the policy server has a ttl")),
    ("CacheAnonymous", Listed(Nothing, "what passes as nobody needs no cache")),
    ("EnableAuditing", IfOn(Missing, "calls are always audited; what a cached session does is in the access log")),
    ("EnableAuthorization", Taken(super::enable_authorization)),
    ("EnableMonitoring", IfOn(Missing, "metrics are on the admin listener, agent.admin")),
    // The client's address
    ("TransientIPCheck", Taken(cookies::address_check)),
    ("PersistentIPCheck", Taken(cookies::address_check)),
    ("RequireClientIP", Taken(cookies::address_check)),
    ("CustomIpHeader", Taken(super::client_address_header)),
    ("ProxyDefinition", Taken(super::proxies)),
    ("DisableDNSLookup", Listed(Nothing, "names of clients are never looked up")),
    // Headers for applications
    ("SetRemoteUser", IfOn(Missing, "the user's name is in the header SM_USER")),
    ("RemoteUserVar", Listed(Missing, "a header of [[realms.responses]] can hold any attribute")),
    ("DisableAuthSrcVars", Taken(super::no_directory_headers)),
    ("DisableSessionVars", Taken(super::no_session_headers)),
    ("DisableUserNameVars", Taken(super::no_user_headers)),
    ("LegacyVariables", Taken(super::legacy_variables)),
    ("LowerCaseHTTP", Listed(Nothing, "names of headers have no case")),
    ("HTTPHeaderEncodingSpec", Listed(Missing, "values are UTF-8")),
    ("ConformToRFC2047", Listed(Missing, "values are UTF-8")),
    ("PreserveHeaders", IfOn(Nothing, "a client's copy of an identity header never passes")),
    ("preserveuniversalID", IfOn(Missing, "what passes without a session passes as nobody in particular")),
    ("UserLookupFromDN", IfOn(Missing, "the user's name is the one that the directory has")),
    // Forms and redirects
    ("FCCCompatMode", Listed(Nothing, PAGES)),
    ("FCCForceIsProtected", Listed(Nothing, "what the login form is for is sealed")),
    ("EncryptAgentName", Listed(Nothing, "the login page's address has no agent's name")),
    ("SecureURLs", Listed(Nothing, "what the login form must remember is always sealed")),
    ("ValidTargetDomain", Taken(super::target_domains)),
    ("ValidFedTargetDomain", Listed(Nothing, "nobody is led to another origin, apart from login.allowed_targets")),
    ("TargetAsRelativeURI", Listed(Nothing, "nobody is led to another origin, apart from login.allowed_targets")),
    ("PreservePostData", Taken(shared::preserve_posts)),
    ("DisablePostDataLimit", Taken(super::no_post_data_limit)),
    ("LegacyEncoding", Listed(Nothing, "the login page's address is made and read by the same agent")),
    ("FCCExt", Listed(Nothing, NO_COLLECTOR)),
    ("SCCExt", Listed(Nothing, NO_COLLECTOR)),
    ("SFCCExt", Listed(Nothing, NO_COLLECTOR)),
    ("CCCExt", Listed(Nothing, NO_COLLECTOR)),
    ("NTCExt", Listed(Nothing, NO_COLLECTOR)),
    ("SaveCredsTimeout", Listed(Missing, "credentials are never saved in a cookie; the user's name is, with login.remember_user_name, if the user wants it")),
    ("EnableFormCache", Listed(Nothing, PAGES)),
    ("FormCacheTimeout", Listed(Nothing, PAGES)),
    // Pages for errors
    ("ServerErrorFile", Listed(Missing, PAGES)),
    ("Custom401ErrorFile", Listed(Missing, PAGES)),
    ("CSSErrorFile", Listed(Missing, PAGES)),
    ("ReqCookieErrorFile", Listed(Missing, PAGES)),
    // Proxies and caches of others
    ("ProxyAgent", IfOn(Missing, FRONT)),
    ("ProxyTrust", IfOn(Closed, FRONT)),
    ("ProxyTimeout", Listed(Nothing, FRONT)),
    ("ExpireForProxy", Listed(Nothing, CACHING)),
    ("ProxyHeadersAutoAuth", Listed(Missing, CACHING)),
    ("ProxyHeadersProtected", Listed(Missing, CACHING)),
    ("ProxyHeadersUnprotected", Listed(Missing, CACHING)),
    ("ProxyHeadersAutoAuth10", Listed(Missing, CACHING)),
    ("ProxyHeadersProtected10", Listed(Missing, CACHING)),
    ("ProxyHeadersUnprotected10", Listed(Missing, CACHING)),
    ("ProxyHeadersDefaultTime", Listed(Missing, CACHING)),
    ("ProxyHeadersTimeoutPercentage", Listed(Missing, CACHING)),
    ("AllowCacheHeaders", IfOff(Missing, "conditional requests pass to the application")),
    // What browsers are told
    ("XFrameOptions", Listed(Weaker, "pages of the agent cannot be framed; let the application say so for its own")),
    ("P3PCompactPolicy", Listed(Missing, "no browser reads it any more; the application can send it")),
    ("CORSConfiguration", Listed(Missing, "there are no such endpoints here; the application answers for its own")),
    // Logs
    ("LogFile", Listed(Missing, LOGS)),
    ("LogFileName", Listed(Missing, LOGS)),
    ("LogFileSize", Listed(Missing, LOGS)),
    ("LogAppend", Listed(Missing, LOGS)),
    ("LogFilesToKeep", Listed(Missing, LOGS)),
    ("LogLocalTime", Listed(Missing, LOGS)),
    ("TraceFile", Listed(Missing, "the level is log.filter")),
    ("TraceFileName", Listed(Missing, "the level is log.filter")),
    ("TraceConfigFile", Listed(Missing, "levels by module are written in log.filter")),
    ("TraceFormat", Listed(Missing, "log.format is text or json")),
    ("TraceDelimiter", Listed(Missing, "log.format is text or json")),
    ("TraceFileSize", Listed(Missing, LOGS)),
    // SmHost.conf
    ("hostname", Listed(Nothing, "an agent is registered by its name")),
    ("hostconfigobject", Listed(Nothing, "what it says is in [policy_server]")),
    ("policyserver", Listed(Missing, "another protocol: give the addresses of Doorward's policy servers in policy_server.urls")),
    ("requesttimeout", Taken(super::request_timeout)),
    ("sharedsecret", Secret("register the agent with `doorward agents add`, and name the file with its new secret")),
    ("sharedsecrettime", Listed(Nothing, "an agent's secret is renewed with `doorward agents rotate`")),
    ("enabledynamichco", Listed(Nothing, "changes of the file are noticed")),
    ("cryptoprovider", Listed(Nothing, "there is one")),
    ("fipsmode", Listed(Missing, "there is no such mode")),
];

#[cfg(test)]
mod tests;
