//! TCP connections that are counted and that a request can cut.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A listener that numbers the connections it accepts.
pub struct CountingListener {
    /// The listener that accepts them.
    pub listener: TcpListener,
    /// How many have been accepted so far.
    pub accepted: Arc<AtomicU64>,
}

impl Listener for CountingListener {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        // Through the trait: axum's implementation survives errors such as too many open files.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let number = self.accepted.fetch_add(1, Ordering::SeqCst) + 1;
        let cutter = Cutter { number, cut: Arc::new(AtomicBool::new(false)) };
        (Wire { stream, cutter }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One TCP connection. Once it is cut, every write fails, so hyper drops it.
pub struct Wire {
    stream: TcpStream,
    cutter: Cutter,
}

/// A request's handle to its connection.
#[derive(Clone)]
pub struct Cutter {
    /// Counted from 1.
    pub number: u64,
    cut: Arc<AtomicBool>,
}

impl Cutter {
    /// Sends nothing more: the client sees the connection close.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, CountingListener>> for Cutter {
    fn connect_info(stream: IncomingStream<'_, CountingListener>) -> Self {
        stream.io().cutter()
    }
}

impl Wire {
    /// A handle to this connection.
    pub(crate) fn cutter(&self) -> Cutter {
        self.cutter.clone()
    }

    fn whole(&self) -> io::Result<()> {
        if self.cutter.cut.load(Ordering::SeqCst) {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
