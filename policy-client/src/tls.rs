//! TLS to policy servers: whom to trust, and who we are.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::settings::{ClientCertificate, ClientError};

/// Trusts `ca_file`, or the system's authorities, and shows `certificate` to who asks for one.
pub(crate) fn config(
    ca_file: Option<&Path>,
    certificate: Option<&ClientCertificate>,
) -> Result<ClientConfig, ClientError> {
    let setup = |error: rustls::Error| ClientError::Setup(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .with_root_certificates(trust_anchors(ca_file)?);
    let mut config = match certificate {
        Some(certificate) => {
            let (chain, key) = read(certificate)?;
            let refused = |error| unusable(&certificate.cert_file, error);
            builder.with_client_auth_cert(chain, key).map_err(refused)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn read(
    certificate: &ClientCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ClientError> {
    let ClientCertificate {
        cert_file,
        key_file,
    } = certificate;
    let chain = CertificateDer::pem_file_iter(cert_file)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(cert_file, error))?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| unusable(key_file, error))?;
    Ok((chain, key))
}

fn unusable(file: &Path, problem: impl Display) -> ClientError {
    ClientError::ClientCertificate {
        file: file.to_owned(),
        problem: problem.to_string(),
    }
}

fn trust_anchors(ca_file: Option<&Path>) -> Result<RootCertStore, ClientError> {
    let from = ca_file.map_or_else(
        || String::from("of the system"),
        |file| file.display().to_string(),
    );
    let refused = |problem: String| ClientError::TrustAnchors {
        from: from.clone(),
        problem,
    };
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(file) => {
            let certificates =
                CertificateDer::pem_file_iter(file).map_err(|error| refused(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| refused(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| refused(error.to_string()))?;
            }
        }
        // System stores hold the odd certificate that does not parse; the others count.
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    if roots.is_empty() {
        Err(refused(String::from("none found")))
    } else {
        Ok(roots)
    }
}
