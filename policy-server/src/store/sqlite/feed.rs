//! The feed in SQLite: one writer at a time, so that numbers are in the order of the transactions.

use policy_protocol::EventKind;
use rusqlite::{Connection, Transaction, params};

use crate::store::{FEED_KEPT, FeedPart, MAX_FEED_PART, StoreError, number, place};

/// The number of the last entry there ever was.
pub(super) fn end(connection: &Connection) -> Result<u64, StoreError> {
    // The table that AUTOINCREMENT keeps: entries are trimmed, their numbers never come again.
    let end: Option<i64> = connection.query_row(
        "SELECT max(seq) FROM sqlite_sequence WHERE name = 'feed'",
        [],
        |row| row.get(0),
    )?;
    Ok(end.map_or(0, place))
}

pub(super) fn append(transaction: &Transaction<'_>, event: &EventKind) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT INTO feed (event) VALUES (?)")?
        .execute([serde_json::to_string(event)?])?;
    Ok(())
}

pub(super) fn trim(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let kept_after = end(transaction)?.saturating_sub(FEED_KEPT);
    transaction.execute("DELETE FROM feed WHERE sequence <= ?", [number(kept_after)])?;
    Ok(())
}

pub(super) fn part(connection: &Connection, after: u64) -> Result<FeedPart, StoreError> {
    let end = end(connection)?;
    if after > end {
        return Ok(FeedPart::Gap { end });
    }
    let mut statement = connection.prepare_cached(
        "SELECT sequence, event FROM feed WHERE sequence > ? ORDER BY sequence LIMIT ?",
    )?;
    let limit = number(MAX_FEED_PART as u64);
    let rows = statement.query_map(params![number(after), limit], |row| {
        Ok((place(row.get(0)?), row.get::<_, String>(1)?))
    })?;
    let mut entries = Vec::new();
    for row in rows {
        let (sequence, event) = row?;
        entries.push((sequence, serde_json::from_str(&event)?));
    }
    Ok(match entries.first() {
        Some((first, _)) if *first != after + 1 => FeedPart::Gap { end },
        None if after != end => FeedPart::Gap { end },
        _ => FeedPart::Entries(entries),
    })
}
