//! `proxyrules.xml` of an Access Gateway: which requests go where.

mod read;
mod routes;

use super::draft::{Draft, Kind};
use super::source::{Malformed, Source};

/// Takes over or lists every rule.
///
/// # Errors
/// What cannot be read.
pub(super) fn apply(source: &Source, draft: &mut Draft) -> Result<(), Vec<Malformed>> {
    let root = super::xml::read(source).map_err(|malformed| vec![malformed])?;
    let rules = read::rules(&root, source)?;
    draft.settings += rules.first.count() + rules.unused.len();
    draft.rewrites_host = true;
    routes::place(&rules.first, draft);
    for (place, what) in &rules.unused {
        let reason =
            "nothing like it is done here: a filter, for one, may have refused or changed requests";
        draft.leave_at(Kind::Weaker, place, what, reason);
    }
    Ok(())
}
