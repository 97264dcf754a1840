//! What can be done with a session, and who may.

/// What can be done with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Validate,
    Logout,
    LogoutByHandle,
    LogoutByUser,
    SessionInfo,
    SessionInfoAndResetIdleTime,
    Refresh,
    SessionProperties,
    UpdateSessionProperties,
    IsActive,
    TimeLeft,
    Idle,
    MaxIdle,
    MaxSessionTime,
    PropertyNames,
    Property,
    SetProperty,
    DeleteProperty,
}

/// By their names; `getMaxTime` is another name of `getTimeLeft`.
const NAMES: [(&str, Action); 19] = [
    ("validate", Action::Validate),
    ("logout", Action::Logout),
    ("logoutByHandle", Action::LogoutByHandle),
    ("logoutByUser", Action::LogoutByUser),
    ("getSessionInfo", Action::SessionInfo),
    (
        "getSessionInfoAndResetIdleTime",
        Action::SessionInfoAndResetIdleTime,
    ),
    ("refresh", Action::Refresh),
    ("getSessionProperties", Action::SessionProperties),
    ("updateSessionProperties", Action::UpdateSessionProperties),
    ("isActive", Action::IsActive),
    ("getTimeLeft", Action::TimeLeft),
    ("getMaxTime", Action::TimeLeft),
    ("getIdle", Action::Idle),
    ("getMaxIdle", Action::MaxIdle),
    ("getMaxSessionTime", Action::MaxSessionTime),
    ("getPropertyNames", Action::PropertyNames),
    ("getProperty", Action::Property),
    ("setProperty", Action::SetProperty),
    ("deleteProperty", Action::DeleteProperty),
];

impl Action {
    /// The action of this name; its case does not matter.
    pub(super) fn named(name: &str) -> Option<Self> {
        let mut names = NAMES.iter();
        let found = names.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, action)| *action)
    }

    /// Whether it changes something, if only how long a session lives.
    pub(super) const fn changes(self) -> bool {
        matches!(
            self,
            Self::Logout
                | Self::LogoutByHandle
                | Self::LogoutByUser
                | Self::SessionInfoAndResetIdleTime
                | Self::Refresh
                | Self::UpdateSessionProperties
                | Self::SetProperty
                | Self::DeleteProperty
        )
    }

    /// Whether anybody may who has the token.
    pub(super) const fn may_anybody(self) -> bool {
        matches!(self, Self::Validate | Self::Logout)
    }

    /// Whether users may with sessions of their own.
    pub(super) const fn may_self(self) -> bool {
        !matches!(
            self,
            Self::LogoutByHandle | Self::LogoutByUser | Self::MaxSessionTime
        )
    }
}
