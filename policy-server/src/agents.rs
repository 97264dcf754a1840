//! Agents that may ask over HTTPS, and how they prove who they are.
//!
//! Some stand in the configuration, the others are records of the store, which commands change. A policy
//! server checks them from memory, and reads the records again when the feed says that they have changed.

mod administration;
mod record;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use policy_protocol::{Clock, Timestamp, hex};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use crate::config::AgentCredentials;
use crate::master_key::MasterKey;
use crate::store::{RecordKind, Store, StoreError};

/// SHA-256 of a secret, or of a certificate (DER): it can be compared and nothing else. Hashes have one length,
/// so that comparing them in constant time does not tell the secret's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash([u8; SHA256_OUTPUT_LEN]);

impl Hash {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(hash)
    }

    /// Reads hex in any case, with or without colons.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let bytes = hex::decode(&text.replace(':', ""))?;
        bytes.try_into().ok().map(Self)
    }

    pub(crate) const fn bytes(self) -> [u8; SHA256_OUTPUT_LEN] {
        self.0
    }

    pub(crate) fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Something that an agent may prove itself with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credential {
    pub(crate) hash: Hash,
    /// When it stops to hold.
    pub(crate) expires: Option<Timestamp>,
}

impl Credential {
    /// One that holds until it is replaced.
    pub(crate) const fn new(hash: Hash) -> Self {
        Self {
            hash,
            expires: None,
        }
    }

    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// An agent that may ask. If it has both secrets and certificates, it needs one of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registration {
    pub(crate) secrets: Vec<Credential>,
    pub(crate) certificates: Vec<Credential>,
    /// When it was added; absent if it stands in the configuration.
    pub(crate) created: Option<Timestamp>,
}

/// What somebody shows who says to be an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proof {
    /// The name and the hash of the secret, if any were given.
    pub(crate) pair: Option<(Arc<str>, Hash)>,
    /// The certificate that the TLS layer has verified.
    pub(crate) certificate: Option<Hash>,
}

impl Registration {
    /// Whether a proof is this agent's. Nobody is without any credentials.
    fn accepts(&self, secret: Option<&Hash>, certificate: Option<&Hash>, now: Timestamp) -> bool {
        let proves = |has: &[Credential], shown: Option<&Hash>| {
            has.is_empty()
                || shown.is_some_and(|shown| {
                    let holds = |it: &&Credential| it.holds(now);
                    has.iter().filter(holds).any(|it| it.hash.matches(shown))
                })
        };
        let has_any = !self.secrets.is_empty() || !self.certificates.is_empty();
        has_any && proves(&self.secrets, secret) && proves(&self.certificates, certificate)
    }
}

/// All agents.
pub(crate) struct Agents {
    store: Arc<dyn Store>,
    master: Arc<MasterKey>,
    configured: HashMap<Arc<str>, Registration>,
    all: RwLock<Arc<Registry>>,
    changed: watch::Sender<()>,
    /// Held over reading all records: what was read last is put to use last.
    reloading: tokio::sync::Mutex<()>,
}

/// All agents at one time.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) by_name: BTreeMap<Arc<str>, Registration>,
    /// Those that need no more than a certificate; nobody if it could be two.
    by_certificate: HashMap<[u8; SHA256_OUTPUT_LEN], Option<Arc<str>>>,
}

impl Registry {
    fn new(by_name: BTreeMap<Arc<str>, Registration>) -> Self {
        let mut by_certificate = HashMap::new();
        for (name, registration) in &by_name {
            if registration.secrets.is_empty() {
                for certificate in &registration.certificates {
                    by_certificate
                        .entry(certificate.hash.0)
                        .and_modify(|whose| *whose = None)
                        .or_insert_with(|| Some(Arc::clone(name)));
                }
            }
        }
        Self {
            by_name,
            by_certificate,
        }
    }
}

impl Agents {
    /// Reads the records.
    pub(crate) async fn open(
        configured: &[AgentCredentials],
        store: Arc<dyn Store>,
        master: Arc<MasterKey>,
    ) -> Result<Self, StoreError> {
        let configured = configured.iter().map(|agent| {
            let secrets = agent.secret.iter();
            let secrets = secrets.map(|it| Credential::new(Hash::of(it.expose().as_bytes())));
            let certificates = agent.certificate_fingerprints.iter();
            let certificates = certificates.map(|hash| Credential::new(Hash(*hash)));
            let registration = Registration {
                secrets: secrets.collect(),
                certificates: certificates.collect(),
                created: None,
            };
            (agent.name.as_str().into(), registration)
        });
        let agents = Self {
            store,
            master,
            configured: configured.collect(),
            all: RwLock::default(),
            changed: watch::Sender::new(()),
            reloading: tokio::sync::Mutex::default(),
        };
        agents.reload().await?;
        Ok(agents)
    }

    /// Reads the records anew. One that cannot be read counts as removed, and one whose name stands in the
    /// configuration does not count.
    pub(crate) async fn reload(&self) -> Result<(), StoreError> {
        let _reloading = self.reloading.lock().await;
        let records = self.store.records(RecordKind::Agent).await?;
        let mut all: BTreeMap<Arc<str>, Registration> = BTreeMap::new();
        for (name, record) in records {
            match record::open(&self.master, &name, &record.value) {
                Ok(registration) => _ = all.insert(name.into(), registration),
                Err(error) => {
                    tracing::error!(agent = name, %error, "the agent is refused: its record cannot be read");
                }
            }
        }
        all.extend(self.configured.clone());
        let registry = Arc::new(Registry::new(all));
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = registry;
        self.changed.send_replace(());
        Ok(())
    }

    /// Every agent.
    pub(crate) fn all(&self) -> Arc<Registry> {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The name of the agent that shows this.
    pub(crate) fn identify(&self, proof: &Proof, now: Timestamp) -> Option<Arc<str>> {
        let all = self.all();
        let certificate = proof.certificate.as_ref();
        let (name, secret) = match &proof.pair {
            Some((name, secret)) => (name, Some(secret)),
            None => (all.by_certificate.get(&certificate?.0)?.as_ref()?, None),
        };
        let registration = all.by_name.get(name)?;
        registration
            .accepts(secret, certificate, now)
            .then(|| Arc::clone(name))
    }

    /// Returns when the proof is no longer `name`'s.
    pub(crate) async fn refused(&self, name: &str, proof: &Proof, clock: &dyn Clock) {
        let mut changed = self.changed.subscribe();
        while self.identify(proof, clock.now()).as_deref() == Some(name) {
            tokio::select! {
                // An error means that this is going away.
                changed = changed.changed() => if changed.is_err() { return },
                // Old credentials cease to hold without a change.
                () = tokio::time::sleep(RECHECK) => {}
            }
        }
    }
}

/// How often a stream looks whether its agent's credentials still hold.
const RECHECK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
