//! Reading a whole body: for the few requests that are for us.

use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::RequestBody;

/// How long a body may take to arrive.
const RECEIVED_WITHIN: Duration = Duration::from_secs(30);

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It has more bytes than are read.
    #[error("the body is larger than allowed")]
    TooLarge,
    /// It took more than 30 s.
    #[error("the body did not arrive in time")]
    Late,
    /// It did not come to its end.
    #[error("the body broke off")]
    Broken,
}

impl RequestBody {
    /// The whole body, of `limit` bytes at most. It may hold passwords.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read(self, limit: usize) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        let received = timeout(RECEIVED_WITHIN, Limited::new(self, limit).collect()).await;
        let collected = received.map_err(|_| ReadError::Late)?.map_err(|error| {
            if error.is::<LengthLimitError>() {
                ReadError::TooLarge
            } else {
                ReadError::Broken
            }
        })?;
        Ok(Zeroizing::new(collected.to_bytes().to_vec()))
    }
}
