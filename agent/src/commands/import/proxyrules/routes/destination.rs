//! Addresses that requests are forwarded to.

use agent::config::names;

/// The server of an address, if the path stays as it is. `start` is what the path begins with, as written.
///
/// # Errors
/// Why no upstream can mean the same.
pub(super) fn server(address: &str, start: Option<&str>) -> Result<String, &'static str> {
    /// The whole path and query.
    const WHOLE: &str = "$0";
    /// What of them follows the start.
    const REMAINDER: &str = "$1";
    let path_starts = match address.find("://") {
        Some(at) => address[at + 3..].find(['/', '$']).map(|end| at + 3 + end),
        None => return Err("the address has no scheme"),
    };
    let (origin, path) = address.split_at(path_starts.unwrap_or(address.len()));
    let keeps_path = path == WHOLE
        || path
            .strip_suffix(REMAINDER)
            .is_some_and(|before| Some(before) == start);
    if !keeps_path {
        return Err("the path is not passed on as it came, and no upstream changes it");
    }
    names::origin(origin)
        .map(|url| url.origin().ascii_serialization())
        .map_err(|_| "the address is not one of a fixed server without a password")
}
