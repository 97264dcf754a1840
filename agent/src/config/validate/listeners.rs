//! Checks `[[listeners]]`.

use std::net::SocketAddr;
use std::sync::Arc;

use super::files::Files;
use super::{services, some_networks, unique};
use crate::config::file::listeners as file;
use crate::config::report::Spot;
use crate::config::{CertificateFiles, Listener, TlsSettings};

/// All listeners. `admin` is where the admin listener will be.
pub(super) fn listeners(
    listeners: &[file::Listener],
    admin: Option<SocketAddr>,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<Vec<Listener>> {
    let addresses: Vec<(String, Spot<'_>)> = listeners
        .iter()
        .enumerate()
        .filter_map(|(index, listener)| {
            Some((listener.address?.0, spot.index(index).key("address")))
        })
        // With port 0 the system chooses, and never twice the same.
        .filter(|(address, _)| address.port() != 0)
        .inspect(|(address, spot)| {
            if admin == Some(*address) {
                spot.problem("the admin listener has this address");
            }
        })
        .map(|(address, spot)| (address.to_string(), spot))
        .collect();
    let sound = unique(
        addresses
            .iter()
            .map(|(address, spot)| (address.as_str(), spot.clone())),
        "the address",
    );
    let checked: Vec<Option<Listener>> = listeners
        .iter()
        .enumerate()
        .map(|(index, each)| listener(each, files, &spot.index(index)))
        .collect();
    checked
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .filter(|_| sound)
}

fn listener(file: &file::Listener, files: &Files<'_>, spot: &Spot<'_>) -> Option<Listener> {
    match (&file.tls, file.redirect_to_https) {
        (Some(_), Some(_)) => {
            spot.key("redirect_to_https").problem("only a listener without TLS redirects to https");
        }
        (None, None) => spot.warn(
            "a listener without TLS sends passwords and sessions in clear text; give it `tls` or `redirect_to_https`",
        ),
        _ => {}
    }
    let proxies = some_networks(&file.proxy_protocol_from, &spot.key("proxy_protocol_from"));
    let tls = file
        .tls
        .as_ref()
        .map(|settings| tls(settings, files, &spot.key("tls")));
    let services = services::services(&file.services, files, &spot.key("services"));
    Some(Listener {
        address: file.address?.0,
        services: Arc::new(services?),
        tls: match tls {
            Some(settings) => Some(settings?),
            None => None,
        },
        redirect_to_https: file.redirect_to_https,
        proxy_protocol_from: proxies?,
    })
}

fn tls(file: &file::Tls, files: &Files<'_>, spot: &Spot<'_>) -> Option<TlsSettings> {
    let certificates: Vec<Option<CertificateFiles>> = file
        .certificates
        .iter()
        .enumerate()
        .map(|(index, each)| certificate(each, files, &spot.key("certificates").index(index)))
        .collect();
    let client_ca_file =
        files.certificates(file.client_ca_file.as_ref(), &spot.key("client_ca_file"));
    let required = file.client_certificate == file::ClientCertificate::Required;
    if required && file.client_ca_file.is_none() {
        spot.key("client_certificate").problem_with_hint(
            "client certificates cannot be required without an authority to check them",
            "set `client_ca_file`",
        );
    }
    if !file.crl_files.is_empty() && file.client_ca_file.is_none() {
        spot.key("crl_files").problem_with_hint(
            "there are no client certificates to look for in these lists",
            "set `client_ca_file`",
        );
    }
    if file.crl_allow_unknown && file.crl_files.is_empty() {
        spot.key("crl_allow_unknown").problem_with_hint(
            "without any list, nothing is known of any certificate",
            "set `crl_files`",
        );
    }
    let crl_files: Vec<_> = file
        .crl_files
        .iter()
        .enumerate()
        .map(|(index, path)| files.pem(path, "X509 CRL", &spot.key("crl_files").index(index)))
        .collect();
    if !file.require_matching_host {
        spot.key("require_matching_host")
            .warn("a client may name one host to TLS and ask another for its answer");
    }
    Some(TlsSettings {
        certificates: certificates.into_iter().collect::<Option<_>>()?,
        tls12: file.min_version == file::TlsVersion::Tls12,
        client_ca_file: client_ca_file?,
        client_certificate_required: required,
        crl_files: crl_files.into_iter().collect::<Option<_>>()?,
        crl_allow_unknown: file.crl_allow_unknown,
        require_matching_host: file.require_matching_host,
    })
}

fn certificate(
    file: &file::Certificate,
    files: &Files<'_>,
    spot: &Spot<'_>,
) -> Option<CertificateFiles> {
    let cert_file = file.cert_file.as_ref();
    let cert_file =
        cert_file.and_then(|path| files.pem(path, "CERTIFICATE", &spot.key("cert_file")));
    let key_file = file.key_file.as_ref();
    let key_file = key_file.and_then(|path| files.pem(path, "PRIVATE KEY", &spot.key("key_file")));
    Some(CertificateFiles {
        cert_file: cert_file?,
        key_file: key_file?,
    })
}
