//! A webhook goes to public addresses only: nothing inside is ever connected to, however its address is written.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lambda_http::Context;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use shared::entry::batch;
use shared::random::OsRandom;
use tokio::net::TcpListener;
use webhook::Webhook;

use crate::harness::World;

/// Counts the connections to one port of every address of this machine that can be bound.
async fn watch() -> (u16, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let first = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = first.local_addr().unwrap().port();
    let v6 = TcpListener::bind(("::1", port)).await;
    assert!(v6.is_ok() || !crate::browser::in_ci(), "no IPv6 loopback");
    for listener in [Some(first), v6.ok()].into_iter().flatten() {
        let count = Arc::clone(&count);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    (port, count)
}

/// `webhook` with this URL; `None` if it does not start with it.
fn webhook(world: &World, url: &str) -> Option<Webhook> {
    let lookup = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some("webhook".to_owned()),
        "WEBHOOK_URL" => Some(url.to_owned()),
        name => world.stack.variables().get(name).cloned(),
    };
    Webhook::read(&lookup, SystemClock, OsRandom).ok()
}

/// Sends one event. Returns whether it has to come again.
async fn send(webhook: &Webhook) -> bool {
    let now = SystemClock.now_millis().0.to_string();
    let event = json!({"id": format!("evt_{:032x}", 1), "type": "installation.installed", "data": {}});
    let records = json!({"Records": [{
        "messageId": "m", "receiptHandle": "r", "body": json!({"detail": event}).to_string(),
        "attributes": {"SentTimestamp": now, "ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }]});
    let answer = batch::answer(webhook, &to_raw_value(&records).unwrap(), Context::default()).await;
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    answer["batchItemFailures"].as_array().unwrap().len() == 1
}

/// An IPv4 address in every way in which a URL can write it.
fn spellings(address: [u8; 4]) -> Vec<String> {
    let [a, b, c, d] = address;
    let number = u32::from_be_bytes(address);
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{number}"),
        format!("{number:#x}"),
        format!("0{number:o}"),
        format!("{a}.{}", number & 0x00ff_ffff),
        format!("{a}.{b}.{}", number & 0xffff),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{b}.{c}.{d}."),
        // Full-width digits, and a full-width full stop.
        format!("{a}.{b}.{c}.{d}").chars().map(full_width).collect(),
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::ffff:{:x}:{:x}]", number >> 16, number & 0xffff),
        format!("[::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b:1::{a}.{b}.{c}.{d}]"),
        format!("[2002:{:x}:{:x}::]", number >> 16, number & 0xffff),
    ]
}

fn full_width(c: char) -> char {
    match c {
        '.' => '\u{ff0e}',
        digit => char::from_u32(u32::from(digit) - u32::from('0') + 0xff10).unwrap(),
    }
}

#[tokio::test]
async fn nothing_inside_is_ever_connected_to_however_its_address_is_written() {
    let world = World::start().await;
    let (port, connections) = watch().await;
    let inside = [
        [127, 0, 0, 1],
        [127, 1, 2, 3],
        [0, 0, 0, 0],
        [10, 0, 0, 1],
        [10, 255, 255, 255],
        [100, 64, 0, 1],
        [169, 254, 169, 254],
        [169, 254, 170, 2],
        [172, 16, 0, 1],
        [172, 31, 255, 255],
        [192, 0, 0, 1],
        [192, 168, 0, 1],
        [198, 18, 0, 1],
        [224, 0, 0, 1],
        [255, 255, 255, 255],
    ];
    let v6 = [
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fc00::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
    ];
    let names = ["localhost", "LOCALHOST", "l\u{2134}calhost"];
    let hosts = inside
        .into_iter()
        .flat_map(spellings)
        .chain([&v6[..], &names[..]].concat().into_iter().map(str::to_owned));
    let (mut refused, mut unreadable) = (0, 0);
    for host in hosts {
        let Some(webhook) = webhook(&world, &format!("https://{host}:{port}/")) else {
            unreadable += 1;
            continue;
        };
        assert!(send(&webhook).await, "{host}");
        refused += 1;
        let log = world.leaks.log();
        let refusals = log.matches(r#""alarm":"webhook_refused_address""#).count();
        assert_eq!(refusals, refused, "{host}: {log}");
    }
    assert!(refused > 200 && unreadable < 20, "{refused} refused, {unreadable} unreadable");
    // Some resolvers know this name, others do not.
    assert!(send(&webhook(&world, &format!("https://localhost.:{port}/")).unwrap()).await);
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    // The same port can be connected to.
    assert!(send(&webhook(&world, &format!("http://localhost:{port}/")).unwrap()).await);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_url_that_is_not_https_or_says_more_than_where_is_refused_at_the_start() {
    let world = World::start().await;
    for url in [
        "http://example.com/",
        "http://127.0.0.1.example.com/",
        "http://10.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "gopher://localhost/",
        "http://localhost.example.com/",
        "https://",
        "example.com",
        "",
    ] {
        assert!(webhook(&world, url).is_none(), "{url}");
    }
    for url in [
        "https://example.com/hooks?key=value",
        "http://localhost:3000/",
        "http://127.0.0.1:1/",
        "http://[::1]:1/",
    ] {
        assert!(webhook(&world, url).is_some(), "{url}");
    }
}

/// An endpoint on this machine, as in the dev stack, does not open the way to others.
#[tokio::test]
async fn the_names_of_this_machine_that_are_not_localhost_are_refused() {
    let world = World::start().await;
    let (port, connections) = watch().await;
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = name.trim();
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((name, port)).await {
        Ok(found) => found.collect(),
        Err(_) => Vec::new(),
    };
    let is_inside = |address: &SocketAddr| match address.ip() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local(),
    };
    if found.iter().any(is_inside) {
        assert!(send(&webhook(&world, &format!("https://{name}:{port}/")).unwrap()).await);
        let log = world.leaks.log();
        assert!(log.contains(r#""alarm":"webhook_refused_address""#), "{log}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}
