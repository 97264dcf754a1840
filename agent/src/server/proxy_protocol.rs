//! The PROXY protocol, versions 1 and 2: who the client behind a load balancer is.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::http::client_origin::is_listed;

/// What a version 2 header begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, command, family and length of a version 2 header.
const V2_FIXED: usize = 16;

/// The rest of a version 2 header. Addresses take 36 bytes at most; load balancers add some fields.
const V2_REST: usize = 2048;

/// The longest version 1 header.
const V1_LONGEST: usize = 107;

/// Whether a peer must send a header, and is believed. Nobody else is (R3).
pub(super) fn is_required(peer: IpAddr, networks: &[IpNet]) -> bool {
    is_listed(networks, peer.to_canonical())
}

/// Reads a header, and not a byte more. Returns the client's address, unless the load balancer speaks
/// for itself, as in health checks.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut header = Vec::with_capacity(V1_LONGEST);
    header.resize(SIGNATURE.len(), 0);
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        read_v2(stream, &mut header).await?;
    } else {
        read_v1(stream, &mut header).await?;
    }
    match ProxyHeader::parse(&header, ParseConfig::default()) {
        Ok((parsed, length)) if length == header.len() => {
            Ok(parsed.proxied_address().map(|proxied| proxied.source))
        }
        _ => Err(malformed()),
    }
}

async fn read_v2(stream: &mut TcpStream, header: &mut Vec<u8>) -> io::Result<()> {
    header.resize(V2_FIXED, 0);
    stream.read_exact(&mut header[SIGNATURE.len()..]).await?;
    let rest = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if rest > V2_REST {
        return Err(malformed());
    }
    header.resize(V2_FIXED + rest, 0);
    stream.read_exact(&mut header[V2_FIXED..]).await?;
    Ok(())
}

/// The length is not announced, so what is there is looked at before it is taken.
async fn read_v1(stream: &mut TcpStream, header: &mut Vec<u8>) -> io::Result<()> {
    if !header.starts_with(b"PROXY ") {
        return Err(malformed());
    }
    while header.last() != Some(&b'\n') {
        let mut ahead = [0; V1_LONGEST];
        let room = V1_LONGEST - header.len();
        let seen = stream.peek(&mut ahead[..room]).await?;
        if seen == 0 {
            return Err(malformed());
        }
        let line_end = memchr::memchr(b'\n', &ahead[..seen]).map(|at| at + 1);
        let before = header.len();
        header.resize(before + line_end.unwrap_or(seen), 0);
        stream.read_exact(&mut header[before..]).await?;
    }
    Ok(())
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "no PROXY header where one is required",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proxy_header::ProxiedAddress;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// What is read of a connection that begins with these pieces, and what is left after it.
    async fn read_pieces(pieces: &[&[u8]]) -> (io::Result<Option<SocketAddr>>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let send = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            for piece in pieces {
                // The other side may have given up.
                let _ = stream.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            let _ = stream.shutdown().await;
        };
        let receive = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let header = read(&mut stream).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            (header, rest)
        };
        tokio::join!(send, receive).1
    }

    fn client() -> SocketAddr {
        "192.0.2.7:4711".parse().unwrap()
    }

    fn headers() -> [Vec<u8>; 2] {
        let proxied = ProxiedAddress::stream(client(), "198.51.100.1:443".parse().unwrap());
        let header = ProxyHeader::with_address(proxied);
        let (mut v1, mut v2) = (Vec::new(), Vec::new());
        header.encode_v1(&mut v1).unwrap();
        header.encode_v2(&mut v2).unwrap();
        [v1, v2]
    }

    #[tokio::test]
    async fn both_versions_are_read_and_nothing_after_them() {
        for header in headers() {
            for cut in 1..header.len() {
                let (head, tail) = header.split_at(cut);
                let (read, rest) = read_pieces(&[head, tail, b"GET /\r\n"]).await;
                assert_eq!(read.unwrap(), Some(client()));
                assert_eq!(rest, b"GET /\r\n");
            }
        }
    }

    #[tokio::test]
    async fn a_load_balancer_may_speak_for_itself() {
        let mut local = Vec::new();
        ProxyHeader::with_local().encode_v2(&mut local).unwrap();
        for header in [&local[..], b"PROXY UNKNOWN\r\n"] {
            assert_eq!(read_pieces(&[header]).await.0.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let [v1, v2] = headers();
        let mut endless = SIGNATURE.to_vec();
        endless.extend([0x21, 0x11, 0xff, 0xff]);
        let long = [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat();
        for bad in [
            b"GET / HTTP/1.1\r\n\r\n",
            &v1[..v1.len() - 1],
            &v2[..v2.len() - 1],
            b"PROXY \r\n",
            &endless,
            &long,
            b"",
        ] {
            assert!(
                read_pieces(&[bad]).await.0.is_err(),
                "{}",
                String::from_utf8_lossy(bad)
            );
        }
    }

    #[test]
    fn only_listed_networks_are_believed() {
        let networks = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (peer, believed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("fd00::1", true),
            ("11.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(
                is_required(peer.parse().unwrap(), &networks),
                believed,
                "{peer}"
            );
        }
        assert!(!is_required("127.0.0.1".parse().unwrap(), &[]));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), v2: bool) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let start = if v2 { &SIGNATURE[..] } else { b"PROXY TCP4 " };
            let _ = runtime.block_on(read_pieces(&[start, &bytes]));
        }
    }
}
