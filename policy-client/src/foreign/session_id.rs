//! Session ids for sessions of other systems.
//!
//! An id is 17 bytes of a digest and three that say how the session was begun: those of one that was begun
//! here hold its scheme and its level, because no other system keeps them for us, and every agent must be able
//! to tell. Nobody can choose an id: it comes with a cookie that an agent sealed, or is made of a token.

use aws_lc_rs::digest::{SHA256, digest};
use policy_protocol::{AuthScheme, ProtectionLevel, RealmContext, SessionId};

use super::ForeignKind;

/// Bytes of the digest: 136 bits meet by no accident, and by no effort.
const DIGEST: usize = SessionId::LENGTH - MARK;
const MARK: usize = 3;
/// The mark of a session that was begun there. No scheme has this number.
const THERE: [u8; MARK] = [0; MARK];

/// How a session was begun, as its id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Beginning([u8; MARK]);

impl Beginning {
    /// That of a session.
    pub(crate) fn of(id: SessionId) -> Self {
        let [.., first, second, third] = *id.as_bytes();
        Self([first, second, third])
    }

    /// The id that a session of this beginning has. `name` is as in [`begun_here`].
    #[cfg(feature = "am-notifications")]
    pub(crate) fn id(self, kind: ForeignKind, name: &str) -> SessionId {
        id(kind, name, self.0)
    }
}

/// The id of a session that was begun there.
pub(super) fn begun_there(kind: ForeignKind, token: &str) -> SessionId {
    id(kind, token, THERE)
}

/// The id of a session that was begun here, in `realm`. `name` is what the session is called there for all its
/// life: the token, if nothing else is.
pub(crate) fn begun_here(kind: ForeignKind, name: &str, realm: &RealmContext) -> SessionId {
    let scheme = match realm.auth_scheme {
        AuthScheme::Form => 1,
        AuthScheme::Basic => 2,
        AuthScheme::Certificate => 3,
        AuthScheme::Totp => 4,
        AuthScheme::None => 5,
    };
    let [high, low] = realm.protection_level.0.to_be_bytes();
    id(kind, name, [scheme, high, low])
}

/// How a session was begun, if that was here.
pub(crate) fn how_begun(id: SessionId) -> Option<(AuthScheme, ProtectionLevel)> {
    let [.., scheme, high, low] = *id.as_bytes();
    let scheme = match scheme {
        1 => AuthScheme::Form,
        2 => AuthScheme::Basic,
        3 => AuthScheme::Certificate,
        4 => AuthScheme::Totp,
        5 => AuthScheme::None,
        _ => return None,
    };
    Some((scheme, ProtectionLevel(u16::from_be_bytes([high, low]))))
}

fn id(kind: ForeignKind, name: &str, mark: [u8; MARK]) -> SessionId {
    let kind: &[u8] = match kind {
        ForeignKind::AuthAz => b"authaz\0",
        ForeignKind::Am => b"am\0",
        ForeignKind::VSphere => b"vsphere\0",
    };
    let hash = digest(&SHA256, &[kind, name.as_bytes()].concat());
    let mut bytes = [0; SessionId::LENGTH];
    bytes[..DIGEST].copy_from_slice(&hash.as_ref()[..DIGEST]);
    bytes[DIGEST..].copy_from_slice(&mark);
    SessionId::from_bytes(bytes)
}
