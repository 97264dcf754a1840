//! TLS on a listener, the only place that knows rustls's server configuration.

pub(super) mod revocation;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ::aws_lc_rs::digest::{Context, SHA256, digest};
use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, VerifierBuilderError,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::{CertificateFiles, TlsSettings};
use crate::http::connection_info::ClientTrust;
use crate::upstream::tls::trust_anchors;

/// TLS 1.3 tickets sent after a handshake. Each costs randomness and sealing; browsers use one or two.
const TICKETS: usize = 2;

/// Why a listener cannot end TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate, key or CA file does not serve.
    #[error("{}: {reason}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is no certificate at all.
    #[error("no certificate is configured")]
    NoCertificate,
    /// The client CA cannot be used.
    #[error("client certificates cannot be verified: {0}")]
    ClientVerifier(#[from] VerifierBuilderError),
    /// The cryptography refused.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// Reads the files anew and makes a configuration of them. Whole configurations are swapped, so that
/// connections that are open or in a handshake keep theirs.
pub(super) fn server_config(settings: &TlsSettings) -> Result<Arc<ServerConfig>, TlsError> {
    let certificates = Certificates::load(&settings.certificates)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions = if settings.tls12 {
        &[&TLS13, &TLS12][..]
    } else {
        &[&TLS13]
    };
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let mut config = match &settings.client_ca_file {
        Some(_) => with_client_certificates(builder, settings)?,
        None => builder.with_no_client_auth(),
    }
    .with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A replayed 0-RTT request would be forwarded twice.
    config.max_early_data_size = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if settings.client_ca_file.is_some() {
        // A resumed session would carry a certificate's identity past the check of this listener
        // (CVE-2025-23419), so there is none.
        config.send_tls13_tickets = 0;
    } else {
        config.ticketer = ticketer()?;
        config.send_tls13_tickets = TICKETS;
    }
    Ok(Arc::new(config))
}

/// What client certificates are verified with, if they are asked for.
pub(super) fn client_trust(settings: &TlsSettings) -> Result<Option<ClientTrust>, TlsError> {
    let Some(ca_file) = &settings.client_ca_file else {
        return Ok(None);
    };
    let mut context = Context::new(&SHA256);
    context.update(&[settings.crl_allow_unknown.into()]);
    for file in std::iter::once(ca_file).chain(&settings.crl_files) {
        let content = std::fs::read(file).map_err(|error| TlsError::File {
            file: file.clone(),
            reason: error.to_string(),
        })?;
        context.update(digest(&SHA256, &content).as_ref());
    }
    let mut whole = [0; 32];
    whole.copy_from_slice(context.finish().as_ref());
    Ok(Some(ClientTrust::new(whole)))
}

fn with_client_certificates(
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    settings: &TlsSettings,
) -> Result<ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>, TlsError> {
    let file = settings.client_ca_file.clone().unwrap_or_default();
    let roots = trust_anchors(&file).map_err(|reason| TlsError::File { file, reason })?;
    let provider = Arc::clone(builder.crypto_provider());
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if !settings.crl_files.is_empty() {
        verifier = verifier
            .with_crls(revocation::lists(&settings.crl_files)?)
            .enforce_revocation_expiration();
        if settings.crl_allow_unknown {
            verifier = verifier.allow_unknown_revocation_status();
        }
    }
    let verifier = if settings.client_certificate_required {
        verifier
    } else {
        verifier.allow_unauthenticated()
    };
    Ok(builder.with_client_cert_verifier(verifier.build()?))
}

/// One for the whole process, so that sessions resume across listeners, workers and reloads.
fn ticketer() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    static TICKETER: OnceLock<Arc<dyn ProducesTickets>> = OnceLock::new();
    if let Some(ticketer) = TICKETER.get() {
        return Ok(Arc::clone(ticketer));
    }
    let fresh = Ticketer::new()?;
    Ok(Arc::clone(TICKETER.get_or_init(|| fresh)))
}

/// Certificates by server name.
#[derive(Debug)]
struct Certificates {
    default: Arc<CertifiedKey>,
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows `*.`; such a name covers one label.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    fn load(files: &[CertificateFiles]) -> Result<Self, TlsError> {
        let certified: Vec<_> = files
            .iter()
            .map(load_certificate)
            .collect::<Result<_, _>>()?;
        let default = Arc::clone(certified.first().ok_or(TlsError::NoCertificate)?);
        let mut all = Self {
            default,
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        };
        for certificate in certified {
            for name in dns_names(&certificate) {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut all.wildcard, parent),
                    None => (&mut all.exact, &*name),
                };
                names
                    .entry(name.to_owned())
                    .or_insert_with(|| Arc::clone(&certificate));
            }
        }
        Ok(all)
    }

    fn choose(&self, server_name: Option<&str>) -> &Arc<CertifiedKey> {
        let Some(name) = server_name.map(str::to_ascii_lowercase) else {
            return &self.default;
        };
        let parent = || {
            name.split_once('.')
                .and_then(|(_, parent)| self.wildcard.get(parent))
        };
        self.exact
            .get(&name)
            .or_else(parent)
            .unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.choose(hello.server_name())))
    }
}

/// Reads a chain and its key, and checks that they belong together: during a renewal one file may be
/// newer than the other.
fn load_certificate(files: &CertificateFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let problem = |file: &PathBuf, reason: String| TlsError::File {
        file: file.clone(),
        reason,
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.cert_file)
        .and_then(Iterator::collect)
        .map_err(|error| problem(&files.cert_file, error.to_string()))?;
    if chain.is_empty() {
        return Err(problem(
            &files.cert_file,
            "there is no certificate in it".to_owned(),
        ));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key_file)
        .map_err(|error| problem(&files.key_file, error.to_string()))?;
    let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|error| problem(&files.key_file, error.to_string()))?;
    Ok(Arc::new(certified))
}

/// The DNS names of a leaf certificate, in lower case.
fn dns_names(certified: &CertifiedKey) -> Vec<String> {
    let parsed = certified
        .cert
        .first()
        .and_then(|leaf| X509Certificate::from_der(leaf).ok());
    let Some((_, leaf)) = &parsed else {
        return Vec::new();
    };
    let Ok(Some(names)) = leaf.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
