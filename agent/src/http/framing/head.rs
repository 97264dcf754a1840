//! The lines of a head, of chunk sizes and of trailers, without their CRLF.

use memchr::{memchr, memchr2};

use super::FramingError;

/// How long a message's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// This many bytes.
    Known(u64),
    /// As the chunks say.
    Chunked,
}

/// What is known of the head that is being read.
#[derive(Debug, Default)]
pub(super) struct Head {
    version: Option<Version>,
    host: bool,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

impl Head {
    /// Takes a line. The empty one ends the head and tells how long the body is.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Option<BodyLength>, FramingError> {
        let Some(version) = self.version else {
            // RFC 9112, section 2.2: empty lines before a request are ignored.
            if !line.is_empty() {
                self.version = Some(request_line(line)?);
            }
            return Ok(None);
        };
        if line.is_empty() {
            return self.end(version).map(Some);
        }
        let (name, value) = field(line)?;
        // Told apart by length first, because most names are none of the three.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                if self.host {
                    return Err(FramingError::Host);
                }
                self.host = true;
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(FramingError::ContentLength);
                }
                self.length = Some(content_length(value)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let sound = value.eq_ignore_ascii_case(b"chunked") && version == Version::Http11;
                if self.chunked || !sound {
                    return Err(FramingError::TransferEncoding);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(None)
    }

    fn end(&self, version: Version) -> Result<BodyLength, FramingError> {
        if !self.host && version == Version::Http11 {
            return Err(FramingError::Host);
        }
        match (self.length, self.chunked) {
            (Some(_), true) => Err(FramingError::TwoLengths),
            (None, true) => Ok(BodyLength::Chunked),
            (length, false) => Ok(BodyLength::Known(length.unwrap_or(0))),
        }
    }
}

/// `method SP target SP version`, with one space between them and none inside (RFC 9112, section 3).
fn request_line(line: &[u8]) -> Result<Version, FramingError> {
    let malformed = FramingError::RequestLine;
    let method_end = memchr(b' ', line).ok_or(malformed)?;
    let (method, rest) = (&line[..method_end], &line[method_end + 1..]);
    let target_end = memchr(b' ', rest).ok_or(malformed)?;
    let (target, version) = (&rest[..target_end], &rest[target_end + 1..]);
    if !is_token(method) || target.is_empty() || target.iter().any(|byte| byte.is_ascii_control()) {
        return Err(malformed);
    }
    if memchr(b'#', target).is_some() {
        return Err(FramingError::Fragment);
    }
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(malformed),
    }
}

/// `name ":" OWS value OWS` (RFC 9112, section 5): no fold, no space before the colon.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), FramingError> {
    let colon = memchr(b':', line).ok_or(FramingError::Field)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) || memchr2(b'\r', 0, value).is_some() {
        return Err(FramingError::Field);
    }
    Ok((name, trim(value)))
}

/// A field that may stand in trailers: none that frames, routes or authenticates a message
/// (RFC 9110, section 6.5.1). Fields of ours are dropped later, where their names are known.
pub(super) fn trailer(line: &[u8]) -> Result<(), FramingError> {
    let (name, _) = field(line)?;
    let framing: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"host"];
    if framing
        .iter()
        .any(|forbidden| name.eq_ignore_ascii_case(forbidden))
    {
        return Err(FramingError::Trailer);
    }
    Ok(())
}

/// A chunk's size, and how many bytes of extensions follow it (RFC 9112, section 7.1).
pub(super) fn chunk_size(line: &[u8]) -> Result<(u64, usize), FramingError> {
    let digits = memchr(b';', line).unwrap_or(line.len());
    let extension = &line[digits..];
    if digits == 0 || digits > 16 || memchr2(b'\r', 0, extension).is_some() {
        return Err(FramingError::Chunk);
    }
    let size = line[..digits].iter().try_fold(0u64, |size, &byte| {
        let digit = char::from(byte).to_digit(16).ok_or(FramingError::Chunk)?;
        Ok((size << 4) | u64::from(digit))
    })?;
    Ok((size, extension.len()))
}

/// `1*DIGIT` that fits: no sign, no list, no white space inside.
fn content_length(value: &[u8]) -> Result<u64, FramingError> {
    if value.is_empty() {
        return Err(FramingError::ContentLength);
    }
    value.iter().try_fold(0u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
        digit
            .and_then(|digit| length.checked_mul(10)?.checked_add(digit))
            .ok_or(FramingError::ContentLength)
    })
}

/// Without optional white space, which is SP and HTAB only; `trim_ascii` would take more.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| TOKEN[usize::from(byte)])
}

/// `tchar` of RFC 9110, section 5.6.2.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};
