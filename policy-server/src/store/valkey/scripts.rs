//! The scripts, one for each call: Valkey runs a script as one transaction.

use std::sync::LazyLock;

use redis::Script;

/// Declares scripts from their files, each with the common beginning.
macro_rules! scripts {
    ($($name:ident: $file:literal;)*) => {$(
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(
                include_str!("scripts/common.lua"),
                include_str!(concat!("scripts/", $file, ".lua")),
            ))
        });
    )*};
}

scripts! {
    INSERT: "insert";
    STANDING: "standing";
    TOUCH: "touch";
    GET: "get";
    LIST: "list";
    SET_PROPERTIES: "set_properties";
    REVOKE_SESSION: "revoke_session";
    REVOKE_USER: "revoke_user";
    REVOKE_ALL: "revoke_all";
    FORGET_REVOKED: "forget_revoked";
    REVOKED_THROUGH: "revoked_through";
    REMOVE_EXPIRED: "remove_expired";
    RECORD: "record";
    RECORDS: "records";
    CHANGE_RECORD: "change_record";
    APPEND: "append";
    FEED: "feed";
}
