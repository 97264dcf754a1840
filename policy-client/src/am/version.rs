//! Which version of `/json/sessions` the servers speak: found out once, and not guessed at each call.

use std::sync::atomic::{AtomicU8, Ordering};

/// A version of the resource, as far as it makes a difference here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum SessionsApi {
    /// 1.x: `validate`, which always resets the idle time.
    V1 = 1,
    /// 2.x: `getSessionInfo` and `refresh` for the token in the header.
    V2,
    /// 3.x: the same, for the token in the body.
    V3,
    /// 4.x: also one action that does both.
    V4,
    /// 5.x: as 4.x.
    V5,
}

impl SessionsApi {
    /// The order in which they are tried. 4.0 comes first because it is the one that has been seen on real servers
    /// and every newer one still answers to it.
    pub(super) const LADDER: [Self; 5] = [Self::V4, Self::V5, Self::V3, Self::V2, Self::V1];

    /// The value of `Accept-API-Version`.
    pub(super) const fn accept(self) -> &'static str {
        match self {
            Self::V1 => "resource=1.1",
            Self::V2 => "resource=2.0",
            Self::V3 => "resource=3.0",
            Self::V4 => "resource=4.0",
            Self::V5 => "resource=5.0",
        }
    }
}

/// What has been learned. One for the whole list of servers: they lead to the same sessions.
#[derive(Debug, Default)]
pub(super) struct Learned(AtomicU8);

impl Learned {
    pub(super) fn get(&self) -> Option<SessionsApi> {
        let number = self.0.load(Ordering::Relaxed);
        SessionsApi::LADDER
            .into_iter()
            .find(|api| *api as u8 == number)
    }

    pub(super) fn set(&self, api: SessionsApi) {
        if self.0.swap(api as u8, Ordering::Relaxed) != api as u8 {
            tracing::info!(
                version = api.accept(),
                "AM's sessions are asked about in this version"
            );
        }
    }

    /// A server does not know `api` any more: it has been replaced by another version of AM.
    pub(super) fn forget(&self, api: SessionsApi) {
        _ = self
            .0
            .compare_exchange(api as u8, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_kept_until_that_very_version_is_forgotten() {
        let learned = Learned::default();
        assert_eq!(learned.get(), None);
        for api in SessionsApi::LADDER {
            learned.set(api);
            assert_eq!(learned.get(), Some(api));
        }
        learned.set(SessionsApi::V2);
        learned.forget(SessionsApi::V4);
        assert_eq!(
            learned.get(),
            Some(SessionsApi::V2),
            "somebody else has learned it meanwhile"
        );
        learned.forget(SessionsApi::V2);
        assert_eq!(learned.get(), None);
    }
}
