//! `doorward ready`: the health check of containers whose image has no other program.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{control_runtime, failed};

/// Who cannot say within this time that it is ready is not.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Who is asked.
#[derive(Args)]
pub(crate) struct Options {
    /// `https://` and host of a policy server, or `http://` and address of an agent's admin listener.
    url: String,
    /// Trust anchors (PEM) for the policy server's certificate; the system's if absent.
    #[arg(long)]
    ca_file: Option<PathBuf>,
}

/// Ends with success if it is ready.
pub(crate) fn run(options: &Options) -> ExitCode {
    let ready = match options.url.strip_prefix("http://") {
        Some(address) => agent(address.trim_end_matches('/')).map_err(|error| error.to_string()),
        None => policy_server(options),
    };
    match ready {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => failed("not ready"),
        Err(error) => failed(error),
    }
}

fn policy_server(options: &Options) -> Result<bool, String> {
    let runtime = control_runtime().map_err(|error| error.to_string())?;
    let asked = policy_client::admin::is_ready(options.url.clone(), options.ca_file.clone());
    runtime.block_on(asked).map_err(|error| error.to_string())
}

/// The admin listener speaks plain HTTP/1.1, and only the status matters.
fn agent(address: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut status = [0; b"HTTP/1.1 200 ".len()];
    stream.read_exact(&mut status)?;
    Ok(&status == b"HTTP/1.1 200 ")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_agent_is_ready_if_it_says_so() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Some(true)),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", Some(false)),
            ("", None),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).unwrap();
                assert!(request[..length].starts_with(b"GET /ready HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).unwrap();
            });
            assert_eq!(agent(&address).ok(), expected);
            server.join().unwrap();
        }
    }
}
