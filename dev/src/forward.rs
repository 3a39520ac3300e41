//! Lets functions in containers reach ports that are otherwise only open on this machine's loopback.

use std::io;
use std::net::IpAddr;

use tokio::net::{TcpListener, TcpStream};

/// Listens on `port` of `address` and forwards every connection to the same port of 127.0.0.1, until the process
/// ends.
///
/// # Errors
///
/// If the port is not available there.
pub async fn listen(address: IpAddr, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((address, port)).await?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((from, _)) => drop(tokio::spawn(pass_on(from, port))),
                Err(error) => tracing::warn!(%error, %address, port, "a connection could not be accepted"),
            }
        }
    });
    Ok(())
}

async fn pass_on(mut from: TcpStream, port: u16) {
    if let Ok(mut to) = TcpStream::connect(("127.0.0.1", port)).await {
        // Either side may close it at any time.
        drop(tokio::io::copy_bidirectional(&mut from, &mut to).await);
    }
}
