use super::*;

fn lookup<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Lookup + 'a {
    move |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn connection(redirect_uri: &str, base_url: &str) -> Result<PublicConnection, ConfigError> {
    PublicConnection::read(&lookup(&[
        ("NOTION_CLIENT_ID", "client"),
        ("NOTION_REDIRECT_URI", redirect_uri),
        ("NOTION_BASE_URL", base_url),
    ]))
}

#[test]
fn a_redirect_uri_is_https_or_localhost_and_ends_in_callback() {
    for good in [
        "https://app.example/callback",
        "https://app.example:8443/notion/callback",
        "http://localhost:3000/callback",
        "http://0a1b2c3d.execute-api.localhost:4566/callback",
    ] {
        assert!(connection(good, NOTION_BASE_URL).is_ok(), "{good}");
    }
    for bad in [
        "http://app.example/callback",
        "http://127.0.0.1:3000/callback",
        "https://app.example/callback/",
        "https://app.example/callback?x=1",
        "https://app.example/callback#x",
        "https://user@app.example/callback",
        "https://app.example/other",
        "https:///callback",
        "https://*.example/callback",
        "https://app.example/call back",
        "/callback",
        "ftp://app.example/callback",
    ] {
        let refused = connection(bad, NOTION_BASE_URL).err();
        assert!(
            matches!(refused, Some(ConfigError::Invalid { variable: "NOTION_REDIRECT_URI", .. })),
            "{bad}: {refused:?}"
        );
    }
}

#[test]
fn codes_and_secrets_go_to_notion_or_to_this_machine_only() {
    for good in [
        NOTION_BASE_URL,
        "http://127.0.0.1:3001",
        "http://localhost:3001",
        "http://host.docker.internal:3001",
    ] {
        assert!(connection("https://app.example/callback", good).is_ok(), "{good}");
    }
    for bad in [
        "https://api.notion.com.evil.example",
        "https://api.notion.com/",
        "http://api.notion.com",
        "https://evil.example",
        "http://127.0.0.1:3001@evil.example",
        "http://127.0.0.1:3001/x",
        "http://localhost.evil.example:80",
    ] {
        let refused = connection("https://app.example/callback", bad).err();
        assert!(matches!(refused, Some(ConfigError::Invalid { variable: "NOTION_BASE_URL", .. })), "{bad}");
    }
}

#[test]
fn what_is_missing_or_wrong_is_named_and_not_repeated() {
    let missing = PublicConnection::read(&lookup(&[("NOTION_CLIENT_ID", "")])).unwrap_err();
    assert_eq!(missing.to_string(), "NOTION_CLIENT_ID is not set");
    let wrong = PublicConnection::read(&lookup(&[
        ("NOTION_CLIENT_ID", "id:pasted-secret"),
        ("NOTION_REDIRECT_URI", "https://app.example/callback"),
    ]));
    let message = wrong.unwrap_err().to_string();
    assert!(
        message.starts_with("NOTION_CLIENT_ID must be") && !message.contains("pasted-secret"),
        "{message}"
    );
    for bad in ["59", "3601", "ten", "-1", "600.5"] {
        assert!(state_ttl_secs(&lookup(&[("STATE_TTL_SECS", bad)])).is_err(), "{bad}");
    }
    assert_eq!(state_ttl_secs(&lookup(&[])), Ok(600));
    assert_eq!(state_ttl_secs(&lookup(&[("STATE_TTL_SECS", "60")])), Ok(60));
}

#[test]
fn branding_is_checked_before_it_reaches_a_page() {
    let read = |pairs: &[(&str, &str)]| Branding::read(&lookup(pairs));
    let branding = read(&[("APP_NAME", "Ünïcode & Sons"), ("APP_COLOR", "#FFD400")]).unwrap();
    assert_eq!(branding.app_color.to_string(), "#ffd400");
    for (name, bad) in [
        ("APP_COLOR", "red"),
        ("APP_COLOR", "#12345"),
        ("APP_COLOR", "#12345g"),
        ("APP_COLOR", "#123456;}body{"),
        ("APP_NAME", "two\nlines"),
        ("APP_NEXT_URL", "javascript:alert(1)"),
        ("APP_NEXT_URL", "http://app.example"),
        ("APP_NEXT_URL", "https://app.example/a b"),
        ("APP_NEXT_URL", "mailto:help@app.example"),
        ("APP_PRIVACY_URL", "http://app.example"),
        ("APP_TERMS_URL", "ftp://app.example"),
        ("APP_SUPPORT_URL", "help@app.example"),
        ("APP_SUPPORT_URL", "mailto:help"),
        ("APP_SUPPORT_URL", "mailto:help@app.example?subject=x"),
        ("APP_SUPPORT_URL", "mailto:a@b@app.example"),
        ("APP_SUPPORT_URL", "tel:+123"),
        ("APP_LOGO_URL", "https://"),
        ("APP_LOGO_URL", "https:///logo.svg"),
        ("APP_LOGO_URL", "http://cdn.example/logo.svg"),
        ("APP_LOGO_URL", "data:image/png;base64,AA"),
        ("APP_LOGO_URL", "//cdn.example/logo.svg"),
        ("APP_LOGO_URL", "https://user@cdn.example/logo.svg"),
        ("APP_LOGO_URL", "https://cdn.example:/logo.svg"),
        ("APP_LOGO_URL", "https://cdn.example:443:443/logo.svg"),
        ("APP_LOGO_URL", "https://cdn.example:99999/logo.svg"),
        ("APP_LOGO_URL", "https://*/logo.svg"),
        ("APP_LOGO_URL", "https://*.example/logo.svg"),
        ("APP_LOGO_URL", "https://cdn.example;script-src/logo.svg"),
        ("APP_LOGO_URL", "https://cdn.example,default-src/logo.svg"),
        ("APP_LOGO_URL", "https://cdn.example\\@evil.example/logo.svg"),
        ("APP_LOGO_URL", "https://münchen.example/logo.svg"),
        ("APP_LOGO_URL", &format!("https://cdn.example/{}", "x".repeat(2048))),
    ] {
        assert!(
            matches!(read(&[(name, bad)]), Err(ConfigError::Invalid { variable, .. }) if variable == name),
            "{name}={bad}"
        );
    }
}

#[test]
fn the_origin_of_the_logo_is_what_a_policy_allows() {
    for (url, origin) in [
        ("https://cdn.example/logo.svg", "https://cdn.example"),
        ("https://cdn.example:8443/a/b.png?x=;y", "https://cdn.example:8443"),
        ("https://cdn.example?x", "https://cdn.example"),
        ("https://cdn.example#x", "https://cdn.example"),
        ("http://localhost:3000/app/logo.svg", "http://localhost:3000"),
    ] {
        let branding = Branding::read(&lookup(&[("APP_LOGO_URL", url)])).unwrap();
        assert_eq!(branding.logo_origin(), Some(origin));
    }
    assert_eq!(Branding::default().logo_origin(), None);
    for support in ["mailto:help+app@mail.app.example", "https://app.example/help"] {
        let branding = Branding::read(&lookup(&[("APP_SUPPORT_URL", support)])).unwrap();
        assert_eq!(branding.support_url.as_deref(), Some(support));
    }
}

#[test]
fn text_on_the_accent_colour_can_be_read() {
    for (color, expected) in
        [("#ffffff", "#000000"), ("#ffd400", "#000000"), ("#2f5d50", "#ffffff"), ("#000000", "#ffffff")]
    {
        assert_eq!(Color::parse(color).unwrap().readable_text(), expected, "on {color}");
    }
}

#[test]
fn a_list_of_workspaces_that_is_none_lets_nobody_in() {
    let read = |text: &str| allowed_workspaces(&lookup(&[("ALLOWED_WORKSPACES", text)]));
    let id = "463558a3-725e-4f37-b6d3-0889894f68de";
    assert_eq!(allowed_workspaces(&lookup(&[])), Ok(None));
    for good in [id.to_owned(), format!(" {} ", id.to_uppercase()), id.replace('-', "")] {
        assert_eq!(read(&good), Ok(Some(vec![id.to_owned()])), "{good}");
    }
    for bad in ["", " ", ",", "Acme", &format!("{id},"), &format!("{id},Acme")] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
