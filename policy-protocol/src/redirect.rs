//! Where a policy may send a browser.

/// The longest address of a redirect, in bytes. It travels with every decision and stands in a header.
const MAX_LENGTH: usize = 2048;

/// Whether a text may stand in `Location`: a path of the same origin, or a whole `http` or `https` address.
///
/// A policy server asks this when it reads its policies, an agent again when it is answered. Browsers skip
/// tabs and newlines, and take a backslash for a slash; two slashes at the start are another host.
pub fn is_redirect(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    if text.len() > MAX_LENGTH || !text.bytes().all(plain) {
        return false;
    }
    if let Some(path) = text.strip_prefix('/') {
        return !path.starts_with('/');
    }
    let Some(rest) = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
    else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // Whoever stands before an @ is not the host, though it looks like it.
    let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    authority.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
        && authority.bytes().all(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_a_path_or_a_whole_web_address() {
        for good in [
            "/",
            "/sorry?why=hours#top",
            "https://help.example.com",
            "http://help.example.com:8080/a",
            "https://[2001:db8::1]:8443/",
        ] {
            assert!(is_redirect(good), "{good}");
        }
        for bad in [
            "",
            "sorry",
            "//evil.test",
            "/\\evil.test",
            "/a b",
            "/a\r\nSet-Cookie: x=y",
            "/a\tb",
            "/\u{e9}",
            "https://",
            "https:///x",
            "https://:443/",
            "https:help",
            "https://good.test@evil.test/",
            "https://good.test%2eevil.test/",
            "javascript:alert(1)",
            "ftp://a",
            "?x",
            "#x",
        ] {
            assert!(!is_redirect(bad), "{bad}");
        }
        assert!(is_redirect(&format!("/{}", "a".repeat(MAX_LENGTH - 1))));
        assert!(!is_redirect(&format!("/{}", "a".repeat(MAX_LENGTH))));
    }
}
