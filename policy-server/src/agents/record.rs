//! A registered agent at rest. Sealed, so that who can write to the store cannot make agents.

use policy_protocol::{SealError, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Credential, Hash, Registration};
use crate::master_key::{MasterKey, OpenRecordError};
use crate::store::RecordKind;

#[derive(Serialize, Deserialize)]
struct AgentRecord {
    secrets: Vec<CredentialRecord>,
    certificates: Vec<CredentialRecord>,
    created: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct CredentialRecord {
    /// In hex.
    hash: String,
    expires: Option<Timestamp>,
}

/// Why a record gives no agent.
#[derive(Debug, thiserror::Error)]
pub(super) enum AgentRecordError {
    #[error(transparent)]
    Sealed(#[from] OpenRecordError),
    #[error("another version wrote it")]
    Unreadable,
}

pub(super) fn open(
    master: &MasterKey,
    name: &str,
    sealed: &Secret<Vec<u8>>,
) -> Result<Registration, AgentRecordError> {
    let opened = master.open(RecordKind::Agent, name, sealed)?;
    let record: AgentRecord =
        serde_json::from_slice(opened.plain.expose()).map_err(|_| AgentRecordError::Unreadable)?;
    let credentials = |records: Vec<CredentialRecord>| {
        let read = records.into_iter().map(|record| {
            Some(Credential {
                hash: Hash::from_hex(&record.hash)?,
                expires: record.expires,
            })
        });
        read.collect::<Option<Vec<_>>>()
            .ok_or(AgentRecordError::Unreadable)
    };
    Ok(Registration {
        secrets: credentials(record.secrets)?,
        certificates: credentials(record.certificates)?,
        created: Some(record.created),
    })
}

pub(super) fn seal(
    master: &MasterKey,
    name: &str,
    registration: &Registration,
) -> Result<Secret<Vec<u8>>, SealError> {
    let credentials = |has: &[Credential]| {
        has.iter()
            .map(|credential| CredentialRecord {
                hash: credential.hash.to_hex(),
                expires: credential.expires,
            })
            .collect()
    };
    let record = AgentRecord {
        secrets: credentials(&registration.secrets),
        certificates: credentials(&registration.certificates),
        created: registration.created.unwrap_or_default(),
    };
    let plain = serde_json::to_vec(&record).unwrap_or_default();
    master.seal(RecordKind::Agent, name, &plain)
}
