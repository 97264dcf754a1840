//! Records in PostgreSQL.

use std::collections::BTreeMap;

use policy_protocol::Secret;
use tokio_postgres::Row;

use super::PostgresStore;
use crate::store::{
    Record, RecordChange, RecordKind, StoreError, first_version, number, place, seconds,
};

/// A record in these columns, if there is one.
fn record(row: &Row, value: usize, version: usize) -> Option<Record> {
    Some(Record {
        value: Secret::new(row.get::<_, Option<Vec<u8>>>(value)?),
        version: place(row.get(version)),
    })
}

impl PostgresStore {
    pub(super) async fn one_record(
        &self,
        kind: RecordKind,
        name: &str,
    ) -> Result<Option<Record>, StoreError> {
        let sql = "SELECT store.identity, record.value, record.version
                   FROM doorward.store
                   LEFT JOIN doorward.record ON record.kind = $1 AND record.name = $2";
        let rows = self.read(sql, &[&kind.name(), &name.as_bytes()]).await?;
        Ok(rows.first().and_then(|row| record(row, 1, 2)))
    }

    pub(super) async fn all_records(
        &self,
        kind: RecordKind,
    ) -> Result<BTreeMap<String, Record>, StoreError> {
        let sql = "SELECT store.identity, record.value, record.version, record.name
                   FROM doorward.store LEFT JOIN doorward.record ON record.kind = $1";
        let rows = self.read(sql, &[&kind.name()]).await?;
        let mut named = BTreeMap::new();
        for row in rows {
            if let Some(record) = record(&row, 1, 2) {
                let name = String::from_utf8(row.get(3));
                let name = name.map_err(|error| StoreError::Failed(error.to_string()))?;
                named.insert(name, record);
            }
        }
        Ok(named)
    }

    pub(super) async fn change(&self, change: RecordChange) -> Result<bool, StoreError> {
        let RecordChange {
            kind,
            name,
            value,
            expected,
            expires,
            announce,
        } = change;
        let (kind, name, expected) = (kind.name(), name.as_bytes(), number(expected));
        let mut transaction = self.begin().await?;
        let expires = expires.map(seconds);
        let rows = match (&value, expected) {
            (Some(value), 0) => {
                let sql = "INSERT INTO doorward.record (kind, name, value, version, expires)
                           VALUES ($1, $2, $3, $5, $4) ON CONFLICT DO NOTHING RETURNING 1";
                let (values, version) = (value.expose(), number(first_version()?));
                transaction
                    .query(sql, &[&kind, &name, values, &expires, &version])
                    .await?
            }
            (Some(value), _) => {
                let sql = "UPDATE doorward.record
                           SET value = $3, version = version + 1, expires = $4
                           WHERE kind = $1 AND name = $2 AND version = $5 RETURNING 1";
                let values = value.expose();
                transaction
                    .query(sql, &[&kind, &name, values, &expires, &expected])
                    .await?
            }
            (None, 0) => {
                let sql = "SELECT 1 WHERE NOT EXISTS (
                               SELECT 1 FROM doorward.record WHERE kind = $1 AND name = $2)";
                transaction.query(sql, &[&kind, &name]).await?
            }
            (None, _) => {
                let sql = "DELETE FROM doorward.record
                           WHERE kind = $1 AND name = $2 AND version = $3 RETURNING 1";
                transaction.query(sql, &[&kind, &name, &expected]).await?
            }
        };
        let changed = !rows.is_empty();
        if let Some(event) = announce.filter(|_| changed) {
            transaction.announce(&event)?;
        }
        transaction.commit().await?;
        Ok(changed)
    }
}
