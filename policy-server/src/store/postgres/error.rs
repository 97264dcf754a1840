//! What PostgreSQL says, in a store's words.

use tokio_postgres::error::SqlState;

use crate::store::StoreError;

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return Self::Failed(with_causes(&error));
        };
        match *db.code() {
            // The tables are gone, and what was in them.
            SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME => Self::Replaced,
            SqlState::DISK_FULL => Self::NoRoom(String::from(db.message())),
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly,
            SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => Self::TimedOut,
            // Without its detail, which quotes rows.
            _ => Self::Failed(format!("{} ({})", db.message(), db.code().code())),
        }
    }
}

/// The error says what it did, its causes why that failed.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
