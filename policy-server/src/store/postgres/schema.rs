//! The tables, and whose they are.

use policy_protocol::SessionId;

use super::pool::Lease;
use crate::store::StoreError;

/// The layout in `schema.sql`; a database with another one is not touched.
const LAYOUT: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");
/// Who makes the tables or the identity holds this advisory lock: "doorward" as a number.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7237087983830262372)";

/// Makes the tables if they are absent, and the identity if there is none. Returns the identity.
pub(super) async fn open(lease: Lease<'_>) -> Result<String, StoreError> {
    lease.run("BEGIN").await?;
    lease.run(LOCK).await?;
    let there = lease
        .query("SELECT to_regclass('doorward.store') IS NOT NULL", &[])
        .await?;
    if !there.iter().all(|row| row.get(0)) {
        lease.run(SCHEMA).await?;
    }
    let new = SessionId::random().map_err(|error| StoreError::Failed(error.to_string()))?;
    lease
        .query(
            "INSERT INTO doorward.store (identity, layout) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            &[&new.to_string(), &LAYOUT],
        )
        .await?;
    // The tables may have been emptied with it.
    lease
        .run("INSERT INTO doorward.feed_end (sequence) VALUES (0) ON CONFLICT DO NOTHING")
        .await?;
    let rows = lease
        .query("SELECT identity, layout FROM doorward.store", &[])
        .await?;
    let row = rows.first().ok_or(StoreError::Replaced)?;
    let (identity, layout): (String, i64) = (row.get(0), row.get(1));
    if layout != LAYOUT {
        return Err(StoreError::Failed(format!(
            "the database has layout {layout}, not {LAYOUT}"
        )));
    }
    lease.run("COMMIT").await?;
    lease.release();
    Ok(identity)
}
