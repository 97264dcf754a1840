//! Lists of characters that addresses must not have.

use super::super::draft::{Draft, Kind};
use super::super::source::Setting;
use super::super::table::Settings;

/// Parts of such a list that no path gets past here, in any spelling.
const ALWAYS_REFUSED: &[&str] = &["//", "\\", "%5c", "/./", "/../"];

/// Says of each part whether it is refused here as well.
pub(super) fn in_paths(_: &Settings, setting: &Setting, draft: &mut Draft) {
    let (refused, passing): (Vec<&str>, Vec<&str>) =
        setting.parts().partition(|part| is_always_refused(part));
    if !refused.is_empty() {
        let reason = "such a path has two readings, and is always refused";
        draft.leave_part(Kind::Nothing, setting, &refused.join(","), reason);
    }
    if !passing.is_empty() {
        let reason = "paths with these pass: there is no list of characters; let the application refuse them";
        draft.leave_part(Kind::Weaker, setting, &passing.join(","), reason);
    }
}

fn is_always_refused(part: &str) -> bool {
    let part = part.to_ascii_lowercase();
    let (from, to) = part.split_once('-').unwrap_or((&part, &part));
    let control = match (code(from), code(to)) {
        (Some(from), Some(to)) => from <= to && (to <= 0x1f || from == 0x7f && to == 0x7f),
        _ => false,
    };
    control || ALWAYS_REFUSED.contains(&part.as_str())
}

/// The code in `%1f`.
fn code(text: &str) -> Option<u8> {
    let digits = text.strip_prefix('%').filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}
