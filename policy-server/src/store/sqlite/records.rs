//! Records in SQLite.

use std::collections::BTreeMap;

use policy_protocol::Secret;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::feed;
use crate::store::{
    Record, RecordChange, RecordKind, StoreError, first_version, number, place, seconds,
};

fn record(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    Ok(Record {
        value: Secret::new(row.get(0)?),
        version: place(row.get(1)?),
    })
}

pub(super) fn one(
    connection: &Connection,
    kind: RecordKind,
    name: &str,
) -> Result<Option<Record>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT value, version FROM record WHERE kind = ? AND name = ?")?
        .query_row([kind.name(), name], record)
        .optional()?)
}

pub(super) fn all(
    connection: &Connection,
    kind: RecordKind,
) -> Result<BTreeMap<String, Record>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT value, version, name FROM record WHERE kind = ?")?;
    let rows = statement.query_map([kind.name()], |row| Ok((row.get(2)?, record(row)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn change(
    transaction: &Transaction<'_>,
    change: RecordChange,
) -> Result<bool, StoreError> {
    let RecordChange {
        kind,
        name,
        value,
        expected,
        expires,
        announce,
    } = change;
    let there = one(transaction, kind, &name)?.map_or(0, |record| record.version);
    if there != expected {
        return Ok(false);
    }
    let version = match expected {
        0 => first_version()?,
        expected => expected + 1,
    };
    match value {
        Some(value) => transaction.execute(
            "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)",
            params![
                kind.name(),
                name,
                value.expose(),
                number(version),
                expires.map(seconds)
            ],
        )?,
        None => transaction.execute(
            "DELETE FROM record WHERE kind = ? AND name = ?",
            [kind.name(), &name],
        )?,
    };
    if let Some(event) = announce {
        feed::append(transaction, &event)?;
    }
    Ok(true)
}
