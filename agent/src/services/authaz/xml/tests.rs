use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Element, Malformed> {
    Element::read(text.as_bytes())
}

/// The text of the one element in `text`.
fn text(text: &str) -> Option<String> {
    Some(read(text).ok()?.text.as_str().to_owned())
}

#[test]
fn names_texts_and_namespaces_are_read() {
    let root = read(
        "\u{feff}<?xml version=\"1.0\" encoding='utf-8'?>\n<!-- a -->\n<a xmlns='urn:a' xmlns:b=\"urn:b\"> \
         <b:c>x<!-- y -->z</b:c><d xmlns=''/> </a>\n",
    )
    .unwrap_or_else(|Malformed| panic!("sound"));
    assert_eq!(
        (root.name.as_str(), root.namespace.as_deref()),
        ("a", Some("urn:a"))
    );
    let [c, d] = root.children.as_slice() else {
        panic!("two children");
    };
    assert_eq!(
        (c.name.as_str(), c.namespace.as_deref()),
        ("c", Some("urn:b"))
    );
    assert_eq!(c.text.as_str(), "xz", "a comment does not end a text");
    assert_eq!((d.name.as_str(), d.namespace.as_deref()), ("d", None));
    assert!(d.text.is_empty());
}

#[test]
fn references_and_sections_are_text() {
    for (document, expected) in [
        ("<a>&lt;&gt;&amp;&quot;&apos;</a>", "<>&\"'"),
        ("<a>&#65;&#x42;&#x1F600;</a>", "AB\u{1f600}"),
        ("<a><![CDATA[<b>&amp;</b>]]></a>", "<b>&amp;</b>"),
        ("<a>1\r\n2\r3</a>", "1\n2\n3"),
        ("<a> x </a>", " x "),
        ("<a/>", ""),
    ] {
        assert_eq!(text(document).as_deref(), Some(expected), "{document}");
    }
}

#[test]
fn what_is_not_needed_is_refused() {
    let laughs =
        "<!DOCTYPE a [<!ENTITY b \"ha\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]><a>&c;</a>";
    for document in [
        laughs,
        "<!DOCTYPE a SYSTEM \"http://127.0.0.1/x\"><a/>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
        "<a><!DOCTYPE a></a>",
        "<a>&x;</a>",
        "<a>&nbsp;</a>",
        "<a b=\"&x;\"/>",
        "<?xml-stylesheet href=\"x\"?><a/>",
        "<a><?php x ?></a>",
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>",
        "<?xml version=\"1.1\" encoding=\"UTF-8\"?><a/>",
        "<a/><?xml version=\"1.0\"?>",
        " <?xml version=\"1.0\"?><a/>",
    ] {
        assert!(read(document).is_err(), "{document}");
    }
}

#[test]
fn what_is_no_document_is_refused() {
    for document in [
        "",
        " ",
        "text",
        "<a>",
        "</a>",
        "<a></b>",
        "<a><b></a></b>",
        "<a/><b/>",
        "<a/>text",
        "text<a/>",
        "&#65;<a/>",
        "<![CDATA[x]]><a/>",
        "<a",
        "<a b></a>",
        "<a b=1/>",
        "<a b=\"1\" b=\"2\"/>",
        "<a>&</a>",
        "<a>&amp</a>",
        "<a>&#0;</a>",
        "<a>&#1;</a>",
        "<a>&#xd800;</a>",
        "<a>&#xffff;</a>",
        "<a>&#99999999999;</a>",
        "<a>\u{1}</a>",
        "<b:a/>",
        "<a b:c=\"x\"/>",
        "{\"userName\": \"alice\"}",
    ] {
        assert!(read(document).is_err(), "{document}");
    }
}

#[test]
fn other_encodings_are_refused() {
    let utf16 = |text: &str, mark: &[u8]| {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        mark.iter().copied().chain(units).collect::<Vec<_>>()
    };
    for document in [
        utf16("<a/>", &[0xff, 0xfe]),
        utf16("<a/>", &[]),
        b"<a>\xff</a>".to_vec(),
        b"<a>\xc0\xbc</a>".to_vec(),
        b"<a>\xed\xa0\x80</a>".to_vec(),
    ] {
        assert!(Element::read(&document).is_err(), "{document:?}");
    }
}

#[test]
fn bounds_hold() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert!(read(&nested(MAX_DEPTH)).is_ok());
    assert!(read(&nested(MAX_DEPTH + 1)).is_err());
    assert!(read(&"<a>".repeat(1_000_000)).is_err());
    let wide = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count));
    assert!(read(&wide(MAX_ELEMENTS - 1)).is_ok());
    assert!(read(&wide(MAX_ELEMENTS)).is_err());
    let attributes = |count: usize| {
        let each = (0..count).map(|number| format!(" b{number}=\"x\""));
        format!("<a{}/>", each.collect::<String>())
    };
    assert!(read(&attributes(MAX_ATTRIBUTES)).is_ok());
    assert!(read(&attributes(MAX_ATTRIBUTES + 1)).is_err());
    let long = format!("<a b=\"{}\"/>", "x".repeat(1 << 20));
    assert!(read(&long).is_ok(), "a long attribute is not kept");
}

#[test]
fn what_is_written_is_read_as_it_was() {
    for value in [
        "",
        "a",
        "<a>&amp;</a>",
        "]]>",
        "\"'",
        "1\r\n2\r3",
        "zażółć \u{1f600}",
    ] {
        let mut out = String::new();
        write(&mut out, "a", value);
        assert_eq!(text(&out).as_deref(), Some(value));
    }
    let mut out = String::new();
    write(&mut out, "a", "x\0y\u{b}z\u{ffff}");
    assert_eq!(text(&out).as_deref(), Some("x\u{fffd}y\u{fffd}z\u{fffd}"));
}

proptest! {
    #[test]
    fn any_text_survives_being_written(value in any::<String>()) {
        let mut out = String::new();
        write(&mut out, "a", &value);
        let expected: String = value.chars().map(|it| if is_allowed(it) { it } else { '\u{fffd}' }).collect();
        prop_assert_eq!(text(&out), Some(expected));
    }

    #[test]
    fn nothing_that_is_sent_makes_it_panic(
        document in "(<[a-c/!?]{0,2}[ a-c:='\"]{0,6}>?|&[#a-z0-9]{0,4};?|]]>|<!\\[CDATA\\[|--|[a\u{e9}\0]){0,12}"
    ) {
        let _ = read(&document);
    }

    #[test]
    fn no_bytes_make_it_panic(document in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Element::read(&document);
    }
}
