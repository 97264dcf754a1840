//! Checks `[listeners.services.vsphere.saml]`.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::files::Files;
use crate::config::file::services as file;
use crate::config::report::Spot;
use crate::config::services::Saml;

/// A clock that is further off is wrong.
const MOST_SKEW: Duration = Duration::from_secs(600);

/// Which assertions are taken.
pub(super) fn saml(file: &file::Saml, files: &Files<'_>, spot: &Spot<'_>) -> Option<Saml> {
    if !cfg!(feature = "saml") {
        let hint = "build it with the feature `saml`";
        spot.problem_with_hint("this program was built without SAML", hint);
        return None;
    }
    let issuer = file.issuer.clone().filter(|issuer| !issuer.is_empty());
    if issuer.is_none() {
        spot.key("issuer").problem("missing: who issues assertions");
    }
    let certificates = certificates(file, files, &spot.key("certificates_file"));
    let clock_skew = file.clock_skew.0;
    let skew_is_sound = clock_skew <= MOST_SKEW;
    if !skew_is_sound {
        spot.key("clock_skew").problem("must be at most 10m");
    }
    let sts_is_sound = file.sts_url.as_ref().is_none_or(|text| {
        let is_address = url::Url::parse(text).is_ok_and(|url| url.scheme() == "https");
        is_address && !text.contains(['"', ',']) && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    if !sts_is_sound {
        spot.key("sts_url").problem("must be an https address");
    }
    let audience_is_sound = file.audience.as_ref().is_none_or(|text| !text.is_empty());
    if !audience_is_sound {
        spot.key("audience").problem("must not be empty");
    }
    Some(Saml {
        issuer: issuer?,
        certificates: certificates?,
        audience: file.audience.clone(),
        clock_skew,
        sts_url: file.sts_url.clone(),
    })
    .filter(|_| skew_is_sound && sts_is_sound && audience_is_sound)
}

fn certificates(file: &file::Saml, files: &Files<'_>, spot: &Spot<'_>) -> Option<Vec<Vec<u8>>> {
    let Some(path) = &file.certificates_file else {
        spot.problem("missing: the certificates whose keys sign assertions");
        return None;
    };
    let path = files.pem(path, "CERTIFICATE", spot)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect);
    let Ok(found) = found else {
        spot.problem("the file has a certificate that cannot be read");
        return None;
    };
    if !found.iter().all(|der| is_usable(der)) {
        let what = "the file has a certificate whose key is neither RSA of 2048 bits or more, nor P-256 or P-384";
        spot.problem(what);
        return None;
    }
    Some(found.into_iter().map(|der| der.to_vec()).collect())
}

#[cfg(feature = "saml")]
fn is_usable(der: &[u8]) -> bool {
    crate::services::vsphere::saml::key::PublicKey::of_certificate(der).is_some()
}

#[cfg(not(feature = "saml"))]
const fn is_usable(_: &[u8]) -> bool {
    false
}
