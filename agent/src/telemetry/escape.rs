//! Keeps what others wrote from looking like what we wrote: no value can end its line, forge another
//! field, or steer a terminal.

/// Appends `text` as it stands inside a JSON string, which is also how the text formats quote.
///
/// Besides what JSON demands, everything that could change how a line is displayed is escaped: DEL, the
/// C1 controls, line separators and bidirectional overrides (Unicode TR 36).
pub fn push_quoted(out: &mut Vec<u8>, text: &str) {
    push(out, text, |c| c == '"' || c == '\\' || is_unsafe(c));
}

/// Appends a line that was already formatted, so that nothing in it can act as a control character.
pub(super) fn push_line(out: &mut Vec<u8>, line: &str) {
    push(out, line, is_unsafe);
}

/// Copies whole runs; almost every text is a single one.
fn push(out: &mut Vec<u8>, text: &str, escaped: impl Fn(char) -> bool) {
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|&(_, c)| escaped(c)) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            _ => push_code(out, c),
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.extend_from_slice(rest.as_bytes());
}

/// `\u001b`. Every character that [`is_unsafe`] names has at most four hexadecimal digits.
fn push_code(out: &mut Vec<u8>, c: char) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[(u32::from(c) >> shift) as usize & 0xf]);
    }
}

const fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(text: &str) -> String {
        let mut out = Vec::new();
        push_quoted(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn line_ends_quotes_and_terminal_sequences_are_escaped() {
        assert_eq!(quoted("a\r\nb\"c\\d\te"), r#"a\r\nb\"c\\d\te"#);
        assert_eq!(
            quoted("\u{1b}[31m\u{85}\u{202e}"),
            r"\u001b[31m\u0085\u202e"
        );
        assert_eq!(quoted("Zoë 🚪"), "Zoë 🚪");
    }

    #[test]
    fn a_formatted_line_keeps_its_quotes() {
        let mut out = Vec::new();
        push_line(&mut out, "{\"a\":1}\n\u{9b}");
        assert_eq!(out, b"{\"a\":1}\\n\\u009b");
    }

    proptest! {
        #[test]
        fn every_quoted_text_reads_back_from_json_and_stays_on_its_line(text in any::<String>()) {
            let json = format!("\"{}\"", quoted(&text));
            prop_assert!(!json.chars().any(is_unsafe));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
