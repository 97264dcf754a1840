//! The certificate of a policy server, read again when its files change, and those of agents.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::ServeError;
use crate::config::ListenConfig;
use crate::file_stamp::{self, FileStamp};

/// How often the files are looked at. They are polled because a mounted secret changes by a swapped link,
/// which sends no events.
const POLL: Duration = Duration::from_secs(2);

/// What new connections use.
pub(super) struct Tls {
    listen: ListenConfig,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files, and reads them again when they change, for as long as this is used.
    pub(super) fn watch(listen: &ListenConfig) -> Result<Arc<Self>, ServeError> {
        // Before they are read: a change meanwhile is one.
        let seen = look(listen);
        let tls = Arc::new(Self {
            listen: listen.clone(),
            config: RwLock::new(Arc::new(read(listen)?)),
        });
        tokio::spawn(watch(Arc::downgrade(&tls), seen));
        Ok(tls)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }

    /// Reads the files anew. What cannot be used is reported and not used.
    fn reload(&self) {
        match read(&self.listen) {
            Ok(config) => {
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!("the new certificate is in use");
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate is not used, but the one before");
            }
        }
    }
}

/// What tells whether a file has changed.
type Looks = Vec<Option<FileStamp>>;

fn look(listen: &ListenConfig) -> Looks {
    files(listen).map(|file| file_stamp::of(file)).collect()
}

fn files(listen: &ListenConfig) -> impl Iterator<Item = &PathBuf> {
    [&listen.cert_file, &listen.key_file]
        .into_iter()
        .chain(&listen.client_ca_file)
}

async fn watch(tls: Weak<Tls>, mut used: Looks) {
    let mut before = used.clone();
    loop {
        tokio::time::sleep(POLL).await;
        let Some(tls) = tls.upgrade() else {
            return;
        };
        let looked = tokio::task::spawn_blocking(move || {
            let seen = look(&tls.listen);
            // Twice the same: certificate and key are written one after the other.
            if seen != used && seen == before {
                tls.reload();
                used.clone_from(&seen);
            }
            (used, seen)
        });
        match looked.await {
            Ok(looked) => (used, before) = looked,
            Err(_) => return,
        }
    }
}

fn read(listen: &ListenConfig) -> Result<ServerConfig, ServeError> {
    let chain = certificates(&listen.cert_file)?;
    let key = PrivateKeyDer::from_pem_file(&listen.key_file)
        .map_err(|error| unusable(&listen.key_file, &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&listen.cert_file, &error))?;
    let builder = match &listen.client_ca_file {
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots
                    .add(certificate)
                    .map_err(|error| unusable(file, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| unusable(file, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    // Also says so if the key is not the certificate's.
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| unusable(&listen.cert_file, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session would bring a client certificate along that nobody verifies. Agents keep their
    // connections, and seldom need another.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(file, &error))
}

fn unusable(file: &Path, problem: &dyn std::fmt::Display) -> ServeError {
    ServeError::Certificate {
        file: file.display().to_string(),
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(listen: &ListenConfig, made: &rcgen::CertifiedKey<rcgen::KeyPair>) {
        std::fs::write(&listen.cert_file, made.cert.pem()).unwrap();
        std::fs::write(&listen.key_file, made.signing_key.serialize_pem()).unwrap();
    }

    fn made() -> rcgen::CertifiedKey<rcgen::KeyPair> {
        rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap()
    }

    #[tokio::test]
    async fn a_changed_pair_is_used_and_a_bad_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let listen = ListenConfig {
            address: ([127, 0, 0, 1], 0).into(),
            cert_file: dir.path().join("cert"),
            key_file: dir.path().join("key"),
            client_ca_file: None,
            max_connections: 1,
        };
        let (one, other) = (made(), made());
        write(&listen, &one);
        let tls = Tls::watch(&listen).unwrap();
        let current = || Arc::clone(&tls.config.read().unwrap());
        let first = current();
        std::fs::write(&listen.cert_file, other.cert.pem()).unwrap();
        tls.reload();
        assert!(Arc::ptr_eq(&first, &current()), "the key is another one's");
        write(&listen, &other);
        // Somebody else than this test looks.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while Arc::ptr_eq(&first, &current()) {
            assert!(tokio::time::Instant::now() < deadline, "never read again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
