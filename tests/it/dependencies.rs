//! What the functions link, read from `cargo tree`.

use std::collections::BTreeSet;
use std::process::Command;

/// The crates in a function's tree, as `name vVERSION`.
fn tree(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}

fn versions_of(tree: &BTreeSet<String>, name: &str) -> usize {
    tree.iter().filter(|line| line.split(' ').next() == Some(name)).count()
}

#[test]
fn callback_links_one_tls_one_http_and_one_crypto_provider() {
    let callback = tree("callback");
    for one in ["rustls", "hyper", "ring", "http", "tokio", "reqwest", "sha2"] {
        assert_eq!(versions_of(&callback, one), 1, "{one}: {callback:?}");
    }
    // rustls-platform-verifier is in the tree, because every rustls feature of reqwest includes it. It is never used.
    for none in
        ["aws-lc-rs", "aws-lc-sys", "openssl", "native-tls", "aws-config", "aws-sdk-sts", "aws-sdk-sso", "h2"]
    {
        assert_eq!(versions_of(&callback, none), 0, "{none}");
    }
}

/// The client becomes part of other people's programs. They choose TLS, runtime and HTTP client.
#[test]
fn the_client_links_the_sdk_and_nothing_of_ours() {
    let client = tree("notion-token-client");
    let ours = ["shared", "dev", "token", "operator"];
    for none in ours.into_iter().chain(["rustls", "ring", "reqwest", "hyper", "aws-config", "lambda_http"]) {
        assert_eq!(versions_of(&client, none), 0, "{none}: {client:?}");
    }
}

#[test]
fn install_links_no_sdk_no_tls_and_no_http_client() {
    let install = tree("install");
    assert!(
        !install.iter().any(|line| line.starts_with("aws-sdk") || line.starts_with("aws-smithy")),
        "{install:?}"
    );
    for none in ["vault", "rustls", "ring", "reqwest", "aws-types", "aws-runtime", "chacha20poly1305"] {
        assert_eq!(versions_of(&install, none), 0, "{none}");
    }
}
