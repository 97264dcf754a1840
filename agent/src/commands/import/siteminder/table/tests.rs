use super::super::super::table::tests::assert_that_nothing_is_dropped;
use super::TABLE;

/// The parameters that matter to a gateway.
const KNOWN: &str = "
    EnableWebAgent AgentName DefaultAgentName UseServerRequestIp DefaultHostName LegalHostNameChars ForceFQHost
    ForceCookieDomain HttpsPorts xforwardedproto PSPollInterval AllowLocalConfig BadUrlChars BadQueryChars
    CSSChecking BadCSSChars BadFormChars Fcchtmlencoding FCCHTMLEncodingChars DisallowUTF8NonCanonical
    DecodeQueryData MaxUrlSize URITransform IgnoreQueryData IgnoreExt OverrideIgnoreExtFilter DisableDotDotRule
    IgnoreUrl IgnoreHost AutoAuthorizeOptions AutoAuthorizeHttpMethods SecureApps CookieDomain CookieDomainScope
    ConformToRFC6265 CookiePath CookiePathScope MasterCookiePath UseSecureCookies UseSecureCPCookies
    UseHttpOnlyCookies Samesite samesiteincompatibleuseragents getcpcookie PersistentCookies TransientIDCookies
    RequireCookies SSOZoneName SSOTrustedZone CookieProvider EnableCookieProvider LimitCookieProvider
    TrackCPSessionDomain IgnoreCPForNotprotected AcceptTPCookie TrackSessionDomain CookieValidationPeriod
    ExpiredCookieURL StoreSessioninServer SessionGracePeriod SessionUpdatePeriod EnforceRealmTimeouts
    compatRealmtimeouts IdleTimeoutURL MaxTimeoutURL OverlookSessionForMethods OverlookSessionForUrls
    OverlookSessionForMethodUri OverlookSessionForQuery OverlookSessionAsPattern LogoffUri WebAppClientResponse
    UseSessionForAnonymous MaxSessionCacheSize MaxResourceCacheSize ResourceCacheTimeout MaxAuthorizationCacheSize
    AuthorizationCacheTimeout CacheAnonymous EnableAuditing EnableAuthorization EnableMonitoring TransientIPCheck
    PersistentIPCheck RequireClientIP CustomIpHeader ProxyDefinition SetRemoteUser RemoteUserVar
    DisableAuthSrcVars DisableSessionVars DisableUserNameVars LegacyVariables LowerCaseHTTP HTTPHeaderEncodingSpec
    ConformToRFC2047 PreserveHeaders preserveuniversalID UserLookupFromDN FCCCompatMode FCCForceIsProtected
    EncryptAgentName SecureURLs ValidTargetDomain ValidFedTargetDomain TargetAsRelativeURI PreservePostData
    DisablePostDataLimit LegacyEncoding FCCExt SCCExt SFCCExt CCCExt NTCExt SaveCredsTimeout EnableFormCache
    FormCacheTimeout ServerErrorFile Custom401ErrorFile CSSErrorFile ReqCookieErrorFile ProxyAgent ProxyTrust
    ProxyTimeout ExpireForProxy ProxyHeadersAutoAuth ProxyHeadersProtected ProxyHeadersUnprotected
    ProxyHeadersAutoAuth10 ProxyHeadersProtected10 ProxyHeadersUnprotected10 ProxyHeadersDefaultTime
    ProxyHeadersTimeoutPercentage AllowCacheHeaders XFrameOptions P3PCompactPolicy CORSConfiguration LogFile
    LogFileName LogFileSize LogAppend LogFilesToKeep LogLocalTime TraceFile TraceConfigFile TraceFormat
    TraceDelimiter TraceFileSize DisableDNSLookup policyserver sharedsecret requesttimeout
";

#[test]
fn no_parameter_is_dropped() {
    assert_that_nothing_is_dropped(TABLE, true, KNOWN);
}
