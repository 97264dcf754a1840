//! What holds for every store, asked of each engine: real servers where there are some.

#![allow(clippy::unwrap_used)] // also in helpers
#![cfg_attr(
    not(any(feature = "postgres", feature = "valkey")),
    allow(dead_code, reason = "what is only asked of shared stores")
)]

mod engines;

mod concurrency;
mod feed;
#[cfg(feature = "postgres")]
mod postgres;
mod records;
mod restored;
mod revocations;
mod sessions;
#[cfg(feature = "valkey")]
mod valkey;

/// Runs every test named against every engine; those after `shared` only where several policy servers
/// may share a store.
macro_rules! for_all {
    ($($name:ident),* $(,)? $(; shared $($shared:ident),* $(,)?)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::engines::Engine::sqlite()).await;
            })*
        }
        #[cfg(feature = "postgres")]
        crate::tests_of!(postgres, $($name,)* $($($shared,)*)?);
        #[cfg(feature = "valkey")]
        crate::tests_of!(valkey, $($name,)* $($($shared,)*)?);
    };
}
pub(crate) use for_all;

/// Runs every test named against an engine that wants a server.
#[cfg(any(feature = "postgres", feature = "valkey"))]
macro_rules! tests_of {
    ($engine:ident, $($name:ident,)*) => {
        mod $engine {
            $(#[tokio::test]
            async fn $name() {
                if let Some(engine) = crate::engines::Engine::$engine() {
                    super::$name(engine).await;
                }
            })*
        }
    };
}
#[cfg(any(feature = "postgres", feature = "valkey"))]
pub(crate) use tests_of;
