//! TLS towards upstreams: verification is always on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why an upstream cannot be spoken to, or not safely.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// There is no server, or one without a scheme or a name.
    #[error("upstream {upstream}: servers are written like http://127.0.0.1:3000")]
    Servers {
        /// The upstream's name.
        upstream: String,
    },
    /// What health checks ask for is no path.
    #[error("upstream {upstream}: the path of health checks must start with `/`")]
    HealthPath {
        /// The upstream's name.
        upstream: String,
    },
    /// The file with trust anchors does not serve.
    #[error("upstream {upstream}: no usable certificate in {}: {reason}", .file.display())]
    CaFile {
        /// The upstream's name.
        upstream: String,
        /// Which file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// An https server, and no trust anchors to check it with.
    #[error("upstream {upstream}: this system has no trusted certificates; set ca_file")]
    NoSystemRoots {
        /// The upstream's name.
        upstream: String,
    },
    /// The cryptography refused.
    #[error("upstream {upstream}: {source}")]
    Tls {
        /// The upstream's name.
        upstream: String,
        /// Why.
        source: rustls::Error,
    },
}

/// How servers of an upstream are verified.
pub(super) fn client_config(
    settings: &crate::config::Upstream,
) -> Result<ClientConfig, UpstreamError> {
    let encrypted = settings
        .servers
        .iter()
        .any(|server| server.scheme_str() == Some("https"));
    let roots = match &settings.ca_file {
        Some(file) => trust_anchors(file).map_err(|reason| UpstreamError::CaFile {
            upstream: settings.name.clone(),
            file: file.clone(),
            reason,
        })?,
        None if encrypted => from_system(),
        None => RootCertStore::empty(),
    };
    if encrypted && roots.is_empty() {
        return Err(UpstreamError::NoSystemRoots {
            upstream: settings.name.clone(),
        });
    }
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|config| config.with_root_certificates(roots).with_no_client_auth())
        .map_err(|source| UpstreamError::Tls {
            upstream: settings.name.clone(),
            source,
        })
}

/// The trust anchors in a PEM file; why there are none is for the operator to read.
pub(crate) fn trust_anchors(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        Err("there is none".to_owned())
    } else {
        Ok(roots)
    }
}

/// Certificates that rustls cannot use are left out: a system's store often has some.
fn from_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
