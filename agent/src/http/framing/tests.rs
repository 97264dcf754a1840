use proptest::prelude::*;

use super::*;

const LIMIT: usize = 4096;

/// The verdict on bytes that come in one piece.
fn verdict(bytes: &[u8]) -> Result<(), FramingError> {
    Framing::new(LIMIT)
        .inspect(bytes)
        .map_err(|violation| violation.error)
}

/// The verdict on bytes that come in pieces.
fn verdict_in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(), FramingError> {
    let mut framing = Framing::new(LIMIT);
    pieces
        .into_iter()
        .try_for_each(|piece| framing.inspect(piece).map_err(|violation| violation.error))
}

fn with_fields(fields: &str) -> Vec<u8> {
    format!("POST /a HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n").into_bytes()
}

fn with_chunks(chunks: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}").into_bytes()
}

#[test]
fn ordinary_requests_pass() {
    for request in [
        &b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"[..],
        b"\r\n\r\nGET /a?b=c HTTP/1.1\r\nhost:a\r\nX-Empty:\r\nA: b c\t\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:  Chunked \r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n".as_bytes(),
    ] {
        assert_eq!(verdict(request), Ok(()), "{}", String::from_utf8_lossy(request));
    }
}

#[test]
fn malformed_request_lines_are_refused() {
    for line in [
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /a b HTTP/1.1",
        " GET / HTTP/1.1",
        "G@T / HTTP/1.1",
        "GET /\u{1} HTTP/1.1",
        "GET /\t HTTP/1.1",
        "GET  HTTP/1.1",
        "/ / /",
        "GET / http/1.1",
    ] {
        let request = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(
            verdict(request.as_bytes()),
            Err(FramingError::RequestLine),
            "{line}"
        );
    }
}

#[test]
fn a_fragment_is_refused() {
    assert_eq!(
        verdict(b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
        Err(FramingError::Fragment)
    );
}

#[test]
fn bare_line_feeds_are_refused() {
    for request in [
        &b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(verdict(request), Err(FramingError::BareLineFeed));
    }
}

#[test]
fn malformed_field_lines_are_refused() {
    for line in [
        ": x",
        " X: y",
        "\tX: y",
        "X : y",
        "X\0: y",
        "X",
        "X: a\rb",
        "X: a\0b",
        "(X): y",
        "X\u{e9}: y",
    ] {
        assert_eq!(
            verdict(&with_fields(&format!("{line}\r\n"))),
            Err(FramingError::Field),
            "{line:?}"
        );
    }
}

#[test]
fn ambiguous_lengths_are_refused() {
    for value in [
        "",
        "+5",
        "-1",
        "5,5",
        "0x5",
        "5 5",
        "18446744073709551616",
        "five",
    ] {
        let request = with_fields(&format!("Content-Length: {value}\r\n"));
        assert_eq!(
            verdict(&request),
            Err(FramingError::ContentLength),
            "{value}"
        );
    }
    let twice = with_fields("Content-Length: 5\r\ncontent-length: 5\r\n");
    assert_eq!(verdict(&twice), Err(FramingError::ContentLength));
    for both in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        assert_eq!(verdict(&with_fields(both)), Err(FramingError::TwoLengths));
    }
}

#[test]
fn transfer_encodings_other_than_one_chunked_are_refused() {
    for value in [
        "",
        "gzip",
        "gzip, chunked",
        "identity, chunked",
        "chunked, chunked",
        "xchunked",
        "\u{b}chunked",
        "chunked;a",
    ] {
        let request = with_fields(&format!("Transfer-Encoding: {value}\r\n"));
        assert_eq!(
            verdict(&request),
            Err(FramingError::TransferEncoding),
            "{value:?}"
        );
    }
    let twice = with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n");
    assert_eq!(verdict(&twice), Err(FramingError::TransferEncoding));
    assert_eq!(
        verdict(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Err(FramingError::TransferEncoding)
    );
}

#[test]
fn exactly_one_host_is_required() {
    assert_eq!(verdict(b"GET / HTTP/1.1\r\n\r\n"), Err(FramingError::Host));
    assert_eq!(
        verdict(b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"),
        Err(FramingError::Host)
    );
    assert_eq!(
        verdict(b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
        Err(FramingError::Host)
    );
}

#[test]
fn malformed_chunks_are_refused() {
    for chunks in [
        "0x2\r\nab\r\n",
        "\r\n",
        ";a\r\n",
        "2 \r\nab\r\n",
        " 2\r\nab\r\n",
        "+2\r\nab\r\n",
        "g\r\n",
        "2\r\nabc\r\n",
        "00000000000000001\r\n",
        "2;a\rb\r\nab\r\n",
        "2;a\0b\r\nab\r\n",
    ] {
        assert_eq!(
            verdict(&with_chunks(chunks)),
            Err(FramingError::Chunk),
            "{chunks:?}"
        );
    }
    for chunks in ["2\nab\r\n", "2;a\nb\r\n", "2\r\nab\n"] {
        assert_eq!(
            verdict(&with_chunks(chunks)),
            Err(FramingError::BareLineFeed),
            "{chunks:?}"
        );
    }
}

#[test]
fn chunk_extensions_are_bounded() {
    let long_line = format!("1;{}\r\na\r\n", "x".repeat(CHUNK_LINE_BYTES));
    assert_eq!(verdict(&with_chunks(&long_line)), Err(FramingError::Chunk));
    let one = format!("1;{}\r\na\r\n", "x".repeat(200));
    assert_eq!(verdict(&with_chunks(&one.repeat(20))), Ok(()));
    assert_eq!(
        verdict(&with_chunks(&one.repeat(100))),
        Err(FramingError::Chunk)
    );
}

#[test]
fn framing_fields_in_trailers_are_refused() {
    for field in ["Content-Length: 1", "transfer-encoding: chunked", "Host: b"] {
        assert_eq!(
            verdict(&with_chunks(&format!("0\r\n{field}\r\n\r\n"))),
            Err(FramingError::Trailer)
        );
    }
}

#[test]
fn heads_and_trailers_are_bounded() {
    let long = "x".repeat(LIMIT);
    assert_eq!(verdict(long.as_bytes()), Ok(()));
    assert_eq!(
        verdict(format!("{long}x").as_bytes()),
        Err(FramingError::TooLarge)
    );
    assert_eq!(
        verdict(&with_fields(&"A: b\r\n".repeat(LIMIT / 6))),
        Err(FramingError::TooLarge)
    );
    assert_eq!(
        verdict(&with_chunks(&format!("0\r\n{}", "A: b\r\n".repeat(LIMIT)))),
        Err(FramingError::TooLarge)
    );
    assert_eq!(
        verdict("\r\n".repeat(LIMIT).as_bytes()),
        Err(FramingError::TooLarge)
    );
}

#[test]
fn sound_messages_before_a_violation_are_told_apart() {
    let sound = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let both = [&sound[..], b"GET /#a HTTP/1.1\r\n\r\n"].concat();
    let violation = Framing::new(LIMIT).inspect(&both).unwrap_err();
    assert_eq!(
        (violation.sound, violation.in_progress),
        (sound.len(), false)
    );

    // A bad body that came with its head is refused with it.
    let body = [&sound[..], &with_chunks("0x\r\n")].concat();
    let violation = Framing::new(LIMIT).inspect(&body).unwrap_err();
    assert_eq!(
        (violation.sound, violation.in_progress),
        (sound.len(), false)
    );

    let mut framing = Framing::new(LIMIT);
    framing.inspect(&with_chunks("2\r\na")).unwrap();
    let violation = framing.inspect(b"b\r\n0x\r\n").unwrap_err();
    assert_eq!((violation.sound, violation.in_progress), (0, true));
    assert_eq!(
        framing.inspect(sound).unwrap_err().error,
        FramingError::Chunk,
        "nothing passes afterwards"
    );
}

/// Requests that are sound, or broken in one of many ways.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => Just("GET / HTTP/1.1\r\n"), 1 => Just("POST /a?b HTTP/1.1\r\n"), 1 => Just("GET / HTTP/1.0\r\n"),
        1 => Just("GET /#a HTTP/1.1\r\n"), 1 => Just("GET / HTTP/1.1\n"), 1 => Just("\r\n"),
    ];
    let field = prop_oneof![
        6 => Just("Host: a\r\n"), 2 => Just("Content-Length: 3\r\n"), 2 => Just("Transfer-Encoding: chunked\r\n"),
        4 => Just("A: b\r\n"), 1 => Just("A : b\r\n"), 1 => Just("Content-Length: +3\r\n"), 1 => Just("A: b\n"),
        1 => Just("Transfer-Encoding: gzip, chunked\r\n"), 1 => Just("A: b\rc\r\n"),
    ];
    let body = prop_oneof![
        4 => Just(""), 2 => Just("abc"), 3 => Just("3\r\nabc\r\n0\r\n\r\n"), 1 => Just("3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n"),
        1 => Just("3\r\nabcd\r\n"), 1 => Just("0x3\r\n"), 1 => Just("3\nabc\r\n"), 1 => Just("0\r\nHost: a\r\n\r\n"),
    ];
    (line, prop::collection::vec(field, 0..4), body).prop_map(|(line, fields, body)| {
        format!("{line}{}\r\n{body}", fields.concat()).into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_verdict_does_not_depend_on_how_the_bytes_are_split(
        requests in prop::collection::vec(request(), 1..4),
        cuts in prop::collection::vec(0usize..400, 0..6),
    ) {
        let bytes = requests.concat();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(verdict_in_pieces(pieces), verdict(&bytes));
        prop_assert_eq!(verdict_in_pieces(bytes.chunks(1)), verdict(&bytes));
    }

    #[test]
    fn the_sound_part_is_sound(requests in prop::collection::vec(request(), 1..5)) {
        let bytes = requests.concat();
        if let Err(violation) = Framing::new(LIMIT).inspect(&bytes) {
            let mut framing = Framing::new(LIMIT);
            prop_assert_eq!(framing.inspect(&bytes[..violation.sound]), Ok(()));
            prop_assert!(framing.between_messages());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_bytes_are_taken_without_a_panic_and_in_bounded_memory(
        bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), any::<u8>()], 0..600),
        prefix in request(),
    ) {
        let mut framing = Framing::new(64);
        let _ = framing.inspect(&prefix);
        for piece in bytes.chunks(7) {
            let _ = framing.inspect(piece);
            prop_assert!(framing.line.len() <= CHUNK_LINE_BYTES);
        }
    }
}
