//! Lets functions in containers reach what otherwise only this machine's loopback can.

use std::io;
use std::net::IpAddr;

use tokio::net::{TcpListener, TcpStream};

/// Listens on `port` of `address` and passes every connection on to the same port of 127.0.0.1, for as long as the
/// process runs.
///
/// # Errors
///
/// If the port cannot be had there.
pub async fn listen(address: IpAddr, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((address, port)).await?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((from, _)) => drop(tokio::spawn(pass_on(from, port))),
                Err(error) => tracing::warn!(%error, %address, port, "a connection could not be taken"),
            }
        }
    });
    Ok(())
}

async fn pass_on(mut from: TcpStream, port: u16) {
    if let Ok(mut to) = TcpStream::connect(("127.0.0.1", port)).await {
        // Either side may end it at any time.
        drop(tokio::io::copy_bidirectional(&mut from, &mut to).await);
    }
}
