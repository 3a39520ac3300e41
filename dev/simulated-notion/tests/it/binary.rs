//! The program: what it prints, and how it exits.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn simulated_notion(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulated-notion"));
    command.args(arguments);
    command
}

/// A running program that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_prints_its_address_and_serves() {
    let mut child = simulated_notion(&["--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _running = Running(child);
    let first = lines.next().unwrap().unwrap();
    let base_url = first.strip_prefix("Simulated Notion: http://").unwrap().to_owned();
    assert_eq!(lines.next().unwrap().unwrap(), format!("Control page:     http://{base_url}/control"));
    assert!(std::net::TcpStream::connect(base_url).is_ok());
}

#[test]
fn a_taken_port_is_one_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let Output { status, stderr, .. } = simulated_notion(&["--port", &port]).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.starts_with(&format!("error: cannot start on 127.0.0.1:{port}: ")), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

/// A container is stopped by SIGTERM, and waits ten seconds for who ignores it.
#[cfg(unix)]
#[test]
fn it_ends_when_asked_to() {
    for signal in ["TERM", "INT"] {
        let mut child = simulated_notion(&["--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.nth(1).unwrap().unwrap().starts_with("Control page"), "it runs");
        let id = child.id().to_string();
        let mut running = Running(child);
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        assert_eq!(running.0.wait().unwrap().code(), Some(0), "{signal}");
    }
}

/// A file that ends with its test.
struct SeedFile(PathBuf);

impl SeedFile {
    fn with(name: &str, text: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for SeedFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn an_address_and_a_base_url_are_what_it_prints() {
    let flags = ["--port", "0", "--address", "0.0.0.0", "--base-url", "http://notion:3001"];
    let mut child = simulated_notion(&flags).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _running = Running(child);
    assert_eq!(lines.next().unwrap().unwrap(), "Simulated Notion: http://notion:3001");
    let listening = lines.nth(1).unwrap().unwrap();
    assert!(listening.starts_with("Listening on:     0.0.0.0:"), "{listening}");
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_needs_its_key_and_both_need_to_be_there() {
    let status = simulated_notion(&["--tls-cert", "cert.pem"]).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(2));
    let flags = ["--port", "0", "--tls-cert", "no/such.pem", "--tls-key", "no/such-key.pem"];
    let Output { status, stderr, .. } = simulated_notion(&flags).output().unwrap();
    assert_eq!(status.code(), Some(1));
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(stderr.contains("no/such.pem") && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn it_starts_with_a_seed_file() {
    let file = SeedFile::with("start.toml", "[[workspaces]]\nname = \"Lab\"\n");
    let arguments = ["--port", "0", "--seed-file", file.path(), "--random-seed", "7"];
    let mut child = simulated_notion(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _running = Running(child);
    let first = lines.next().unwrap().unwrap();
    let authority = first.strip_prefix("Simulated Notion: http://").unwrap();
    let mut stream = std::net::TcpStream::connect(authority).unwrap();
    let request = format!("GET /control HTTP/1.0\r\nhost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.contains(">Lab</a>") && !page.contains("Acme"), "{page}");
    assert!(page.contains("Demo connection"), "a file without connections leaves that of the flags");
}

#[test]
fn a_mistake_in_the_seed_file_is_one_line_and_exit_code_1() {
    let file = SeedFile::with("mistake.toml", "\n\nseed = 1\n");
    let cases = [(file.path(), "line 3: unknown field `seed`"), ("no/such/file.toml", "No such file")];
    for (path, problem) in cases {
        let Output { status, stderr, .. } = simulated_notion(&["--seed-file", path]).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1));
        assert!(
            stderr.starts_with(&format!("error: cannot use the seed file {path}: {problem}")),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn a_bad_flag_is_exit_code_2() {
    for arguments in [
        &["--prot", "1"][..],
        &["--port", "many"],
        &["--random-seed", "-1"],
        &["--seed-file", "any.toml", "--client-id", "a"],
    ] {
        let status = simulated_notion(arguments).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}
