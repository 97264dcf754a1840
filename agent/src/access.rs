//! What a request must show before it may pass.

pub mod authenticate;
pub mod authorize;
pub mod denial;
pub mod grant;
pub mod protection;

pub use denial::Denial;
pub use grant::Grant;
