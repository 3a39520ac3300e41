use notion_token_client::{
    Begun, CallError, Claim, Functions, Installation, InstallationsClient, InstallationsError, NoRandomness,
    Person, TokenClient, begin,
};

/// Create it once, for the whole process.
struct MyApp {
    installations: InstallationsClient,
    tokens: TokenClient,
    install_url: String,
    http: reqwest::Client,
    /// `https://api.notion.com`
    notion_url: String,
}

impl MyApp {
    fn new(
        lambda: aws_sdk_lambda::Client,
        install_url: &str,
        http: reqwest::Client,
        notion_url: &str,
    ) -> Self {
        // The names are outputs of the stack.
        let functions = Functions {
            claim: "claim".to_owned(),
            installations: "installations".to_owned(),
            uninstall: "uninstall".to_owned(),
        };
        Self {
            installations: InstallationsClient::new(lambda.clone(), functions).called("my app"),
            tokens: TokenClient::new(lambda, "token").called("my app"),
            install_url: install_url.to_owned(),
            http,
            notion_url: notion_url.to_owned(),
        }
    }

    /// The button "Connect Notion". Keep the answer in the session of the user who is logged in, and send the browser
    /// to its `url`.
    fn connect(&self) -> Result<Begun, NoRandomness> {
        begin(&self.install_url, "app")
    }

    /// The return destination. `begun` is from the session, `user` is who is logged in now.
    async fn back(
        &self,
        begun: &Begun,
        user: &str,
        state: &str,
        code: &str,
    ) -> Result<Installation, InstallationsError> {
        if state != begun.state {
            return Err(InstallationsError::InvalidGrant);
        }
        let verifier = begun.verifier();
        let claim = Claim { code, verifier, subject: user, accept_different_account: false };
        self.installations.claim(&claim).await
    }

    /// Calls Notion as the user. The closure runs a second time, with another token, if Notion refuses the first one.
    async fn me(&self, user: &str) -> Result<String, CallError<reqwest::Error>> {
        let url = format!("{}/v1/users/me", self.notion_url);
        self.tokens
            .call(&Person::subject(user), async |token| {
                let me = self.http.get(&url).header("notion-version", "2026-03-11");
                let answer = me.bearer_auth(token.access_token()).send().await?;
                if answer.status() == 401 {
                    return Err(CallError::Unauthorized);
                }
                Ok(answer.error_for_status()?.text().await?)
            })
            .await
    }

    /// The button "Disconnect".
    async fn disconnect(&self, user: &str) -> Result<(), InstallationsError> {
        let person = Person::subject(user);
        self.tokens.forget(&person);
        match self.installations.disconnect(&person).await {
            // It was disconnected before.
            Ok(_) | Err(InstallationsError::NotInstalled) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
