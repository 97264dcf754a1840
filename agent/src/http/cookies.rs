//! The Cookie header: found without copying, taken out before an application sees it.

use std::iter;

use http::{HeaderMap, HeaderValue, header};
use memchr::memchr;

/// All cookies of a request as `(name, value)`, in order. HTTP/2 clients may send several lines.
pub fn all(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| pairs(line.as_bytes()))
        .filter_map(|pair| {
            let equals = memchr(b'=', pair)?;
            Some((pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii()))
        })
}

/// What stands between semicolons. Session cookies are long: 32 bytes are looked at in one step.
fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    iter::from_fn(move || {
        let text = rest?;
        let end = memchr(b';', text);
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// The first cookie of a name.
pub fn first<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    all(headers)
        .find(|(found, _)| *found == name.as_bytes())
        .map(|(_, value)| value)
}

/// RFC 6265 lets a value stand in quotes, which do not belong to it for those who make them.
pub fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value.strip_prefix(b"\"");
    inner
        .and_then(|inner| inner.strip_suffix(b"\""))
        .unwrap_or(value)
}

/// Whether a text can be a cookie's value: without what would end it (RFC 6265, section 4.1.1).
pub fn is_value(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
    text.bytes().all(fits)
}

/// Takes cookies that `is_ours` names out of the request, and joins the rest into one line, as HTTP/1.1
/// wants it. A single line without a cookie of ours is left alone.
pub fn remove(headers: &mut HeaderMap, is_ours: impl Fn(&[u8]) -> bool) {
    let mut lines = headers.get_all(header::COOKIE).iter();
    let single = lines.next().is_some() && lines.next().is_none();
    let ours_present = all(headers).any(|(name, _)| is_ours(name));
    if !headers.contains_key(header::COOKIE) || single && !ours_present {
        return;
    }
    let mut kept = Vec::new();
    for line in headers.get_all(header::COOKIE) {
        for pair in pairs(line.as_bytes()).map(<[u8]>::trim_ascii) {
            let name = &pair[..memchr(b'=', pair).unwrap_or(pair.len())];
            if pair.is_empty() || is_ours(name.trim_ascii()) {
                continue;
            }
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(pair);
        }
    }
    headers.remove(header::COOKIE);
    // What is left are bytes of valid header values, joined by valid bytes.
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::try_from(kept)) {
        headers.insert(header::COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn every_cookie_of_a_name_is_found_in_order() {
        let headers = headers(&[
            "a=1; SMSESSION=x; b=2",
            "SMSESSION = y ;c=a=b; SMSESSIONS=z; smsession=q",
        ]);
        let found: Vec<_> = all(&headers)
            .filter(|(name, _)| *name == b"SMSESSION")
            .map(|(_, v)| v)
            .collect();
        assert_eq!(found, [b"x", b"y"]);
        assert_eq!(first(&headers, "c"), Some(b"a=b".as_slice()));
    }

    #[test]
    fn our_cookies_are_taken_out_and_the_rest_is_one_line() {
        let mut several = headers(&["a=1; SMSESSION=x", "SMSESSION=y; b=2; novalue"]);
        remove(&mut several, |name| name == b"SMSESSION");
        assert_eq!(
            several.get_all(header::COOKIE).iter().collect::<Vec<_>>(),
            ["a=1; b=2; novalue"]
        );
        let mut only_ours = headers(&["SMSESSION=x"]);
        remove(&mut only_ours, |name| name == b"SMSESSION");
        assert!(only_ours.is_empty());
        let mut none = HeaderMap::new();
        remove(&mut none, |_| true);
        assert!(none.is_empty());
    }

    proptest! {
        #[test]
        fn after_removal_no_reading_finds_our_cookie(lines in proptest::collection::vec("[SMab=; \t\"]{0,24}", 0..4)) {
            let mut map = HeaderMap::new();
            for line in &lines {
                map.append(header::COOKIE, HeaderValue::from_str(line).unwrap());
            }
            remove(&mut map, |name| name == b"SM");
            prop_assert!(all(&map).all(|(name, _)| name != b"SM"));
            for line in map.get_all(header::COOKIE) {
                let text = line.to_str().unwrap().to_owned();
                let found = cookie::Cookie::split_parse(text).flatten().any(|cookie| cookie.name() == "SM");
                prop_assert!(!found);
            }
        }
    }
}
