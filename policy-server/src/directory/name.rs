//! Login names: all spellings of a name are one.

use icu_normalizer::ComposingNormalizerBorrowed;

/// How login names are compared: `Alice`, ` alice ` and `ＡＬＩＣＥ` are one.
///
/// Case makes no difference, and neither does what `cleaned` takes away.
pub fn folded(name: &str) -> String {
    let small = cleaned(name).to_lowercase();
    // Where the fold of a letter is not its small letter (CaseFolding.txt), as far as NFKC leaves any.
    let folded = small.replace('ς', "σ").replace('ß', "ss");
    // Small letters may compose anew.
    cleaned(&folded)
}

/// A name as directories are asked for it: in Unicode's compatibility form (NFKC), without blanks around,
/// repeated blanks within and characters that cannot be seen.
pub(super) fn cleaned(name: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let visible: String = name
        .chars()
        .filter(|character| !is_invisible(*character))
        .collect();
    let normal = nfkc.normalize(&visible);
    normal.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Those that Unicode says to ignore where they have no glyph (`Default_Ignorable_Code_Point`), and
/// control characters.
fn is_invisible(character: char) -> bool {
    let ignorable = matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    ignorable || (character.is_control() && !character.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_name_are_one() {
        for spelling in [
            "alice smith",
            " Alice  SMITH\t",
            "ａｌｉｃｅ\u{3000}ｓｍｉｔｈ",
            "al\u{ad}ice\u{200b} smi\u{feff}th\0",
            "\u{202e}alice\u{a0}smith",
        ] {
            assert_eq!(folded(spelling), "alice smith", "{spelling:?}");
        }
        for (one, other) in [
            ("Zoë", "ZOE\u{308}"),
            ("ΟΔΟΣ", "οδος"),
            ("Straße", "STRASSE"),
            ("ﬁlip", "FILIP"),
            ("Å", "\u{212b}"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("alice"), folded("a lice"));
        assert_ne!(folded("zoë"), folded("zoe"));
        assert_eq!(folded(" \u{200b} "), "");
    }

    #[test]
    fn what_is_folded_stays_as_it_is() {
        for name in [
            "ΑΣ ",
            "İstanbul",
            "ẞ",
            "ǰ",
            "K\u{307}\u{323}",
            "ϓ",
            "\u{1e9e}\u{345}",
        ] {
            let once = folded(name);
            assert_eq!(folded(&once), once, "{name}");
        }
    }
}
