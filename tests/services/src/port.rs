//! Ports for servers that cannot be told to choose one.

use std::net::{Ipv4Addr, TcpListener};

/// Below those the kernel gives to whoever asks for port 0 or connects (32768 and up), so nobody
/// takes a server's port while it is down.
const FIRST: u16 = 20_000;
const COUNT: u32 = 12_000;

/// A loopback port that is free now.
pub(crate) fn free() -> u16 {
    crate::eventually("a free port", || {
        let offset = u16::try_from(getrandom::u32().unwrap() % COUNT).unwrap();
        let port = FIRST + offset;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .is_ok()
            .then_some(port)
    })
}
