//! Where the simulator listens, and the address by which apps and browsers know it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::Uri;
use axum::http::uri::Authority;

/// The base URL, and the name in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    /// Without a trailing slash.
    pub(crate) text: String,
    /// Without the port.
    host: String,
}

impl BaseUrl {
    /// The base URL given, or that of the socket. Who listens on all addresses is reached on the loopback one.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is not `http://` or `https://`, a host and perhaps a port.
    pub(crate) fn new(given: Option<&str>, socket: SocketAddr, is_tls: bool) -> io::Result<Self> {
        let scheme = if is_tls { "https" } else { "http" };
        let reached = match socket.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        let text = given.map_or_else(
            || format!("{scheme}://{}", SocketAddr::new(reached, socket.port())),
            |given| given.trim_end_matches('/').to_owned(),
        );
        let parsed = text.parse::<Uri>().ok().filter(|uri| {
            let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
            has_scheme && uri.path() == "/" && uri.query().is_none() && !text.contains(['@', '#'])
        });
        let host = parsed.as_ref().and_then(Uri::host).map(str::to_ascii_lowercase).ok_or_else(|| {
            let problem = format!("the base URL must be http(s)://HOST or http(s)://HOST:PORT, not {text}");
            io::Error::new(io::ErrorKind::InvalidInput, problem)
        })?;
        Ok(Self { text, host })
    }

    /// Whether a `Host` header is ours: the name in the base URL, `localhost`, or an IP address; the port does not
    /// matter, since a container's may be published as another.
    ///
    /// What this keeps out is DNS rebinding: a page whose own name resolves to this machine, so that the browser takes
    /// it for the same origin. Such a request names that page's host, which can be neither an address nor `localhost`.
    pub(crate) fn is_host(&self, header: &str) -> bool {
        let Ok(authority) = header.parse::<Authority>() else { return false };
        let host = authority.host().to_ascii_lowercase();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == self.host
            || host == "localhost"
            || host.ends_with(".localhost")
            || address.parse::<IpAddr>().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known_as(given: Option<&str>, socket: &str) -> BaseUrl {
        BaseUrl::new(given, socket.parse().unwrap(), false).unwrap()
    }

    #[test]
    fn without_a_base_url_it_is_the_socket() {
        for (socket, text) in [
            ("127.0.0.1:3001", "http://127.0.0.1:3001"),
            ("0.0.0.0:3001", "http://127.0.0.1:3001"),
            ("192.168.1.5:80", "http://192.168.1.5:80"),
            ("[::]:3001", "http://[::1]:3001"),
        ] {
            assert_eq!(known_as(None, socket).text, text);
        }
        let secure = BaseUrl::new(None, "127.0.0.1:3001".parse().unwrap(), true).unwrap();
        assert_eq!(secure.text, "https://127.0.0.1:3001");
    }

    #[test]
    fn a_base_url_is_an_origin() {
        assert_eq!(known_as(Some("https://notion.test/"), "0.0.0.0:1").text, "https://notion.test");
        for wrong in ["", "notion:3001", "ftp://notion", "http://notion/v1", "http://n?q", "http://me@notion"]
        {
            assert!(BaseUrl::new(Some(wrong), "0.0.0.0:1".parse().unwrap(), false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_that_is_not_ours_may_be_rebound() {
        let notion = known_as(Some("http://Notion:3001"), "0.0.0.0:3001");
        for ours in [
            "notion",
            "notion:3001",
            "localhost:4000",
            "app.localhost",
            "127.0.0.1:9",
            "[::1]:3001",
            "172.17.0.2",
        ] {
            assert!(notion.is_host(ours), "{ours}");
        }
        for foreign in [
            "rebound.example",
            "rebound.example:3001",
            "localhost.example",
            "127.0.0.1.example",
            "notion.example",
            "",
        ] {
            assert!(!notion.is_host(foreign), "{foreign}");
        }
    }
}
