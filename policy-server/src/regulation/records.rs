//! What is counted, in the store: read, and changed by compare-and-swap.

use std::sync::Arc;

use minicbor::{Decode, Encode};
use policy_protocol::{Secret, Timestamp};
use tokio::time::Instant;

use super::MAX_WAIT;
use crate::store::{RecordChange, RecordKind, Store, StoreError};

/// The records of login regulation.
pub(super) struct Records(Arc<dyn Store>);

impl Records {
    pub(super) const fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    /// A record, and its version; the default and 0 if there is none.
    pub(super) async fn read<T: Default + for<'b> Decode<'b, ()>>(
        &self,
        record: &str,
    ) -> Result<(T, u64), StoreError> {
        match self.0.record(RecordKind::Regulation, record).await? {
            Some(record) => {
                let value = minicbor::decode(record.value.expose());
                let value = value.map_err(|_| unreadable())?;
                Ok((value, record.version))
            }
            None => Ok((T::default(), 0)),
        }
    }

    /// Changes a record to what `to` makes of it, with the time until which it is kept. `Some(None)`
    /// removes it, `None` leaves it as it is.
    pub(super) async fn change<T: Default + Encode<()> + for<'b> Decode<'b, ()>>(
        &self,
        record: &str,
        mut to: impl FnMut(&T) -> Option<Option<(Timestamp, T)>>,
    ) -> Result<(), StoreError> {
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            let (value, expected) = self.read(record).await?;
            let Some(new) = to(&value) else {
                return Ok(());
            };
            if new.is_none() && expected == 0 {
                return Ok(());
            }
            let (expires, value) = match new {
                Some((expires, value)) => {
                    let value = minicbor::to_vec(&value).map_err(|_| unreadable())?;
                    (Some(expires), Some(Secret::new(value)))
                }
                None => (None, None),
            };
            let change = RecordChange {
                kind: RecordKind::Regulation,
                name: record.to_owned(),
                value,
                expected,
                expires,
                announce: None,
            };
            if self.0.change_record(change).await? {
                return Ok(());
            }
            // Somebody else was first: of all who try at once, one always gets through.
            if Instant::now() >= deadline {
                return Err(StoreError::TimedOut);
            }
        }
    }
}

fn unreadable() -> StoreError {
    StoreError::Failed(String::from("a record of login regulation cannot be read"))
}
