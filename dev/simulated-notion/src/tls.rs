//! HTTPS with a given certificate, for apps that refuse `http://` and for cookies that need a secure origin.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::wire::{CountingListener, Cutter, Wire};

/// The certificate and the private key of the simulator, for [`Options::tls`](crate::Options::tls).
#[derive(Clone)]
pub struct TlsIdentity(Arc<ServerConfig>);

impl TlsIdentity {
    /// Reads a certificate, with those that link it to its root after it, and its private key (PKCS#8, PKCS#1 or
    /// SEC1).
    ///
    /// # Errors
    ///
    /// `InvalidData` if one of them is no PEM, has none of what is asked for, or if the key is not that of the
    /// certificate. The message never contains the key.
    pub fn from_pem(certificates: &[u8], private_key: &[u8]) -> io::Result<Self> {
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| invalid(format!("certificate: {error}")))?;
        if chain.is_empty() {
            return Err(invalid("certificate: no section CERTIFICATE found"));
        }
        let key = PrivateKeyDer::from_pem_slice(private_key)
            .map_err(|error| invalid(format!("private key: {error}")))?;
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
                .map_err(invalid)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// A [`CountingListener`] behind TLS. A client that is slow to say hello, or says nothing, keeps no other waiting.
pub(crate) struct TlsListener {
    listener: CountingListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<Wire>, SocketAddr)>>,
}

impl TlsListener {
    pub(crate) fn new(listener: CountingListener, identity: TlsIdentity) -> Self {
        Self { listener, acceptor: identity.0.into(), handshakes: JoinSet::new() }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<Wire>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                (wire, address) = self.listener.accept() => {
                    let handshake = self.acceptor.accept(wire);
                    self.handshakes.spawn(async move { Some((handshake.await.ok()?, address)) });
                }
                Some(finished) = self.handshakes.join_next() => {
                    if let Ok(Some(accepted)) = finished {
                        return accepted;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Cutter {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        stream.io().get_ref().0.cutter()
    }
}
