use notion_token_client::{
    Begun, CallError, Claim, Event, Functions, Installation, InstallationsClient, InstallationsError,
    InvalidWebhook, NoRandomness, Person, TokenClient, WebhookVerifier, begin,
};

/// Create it once, for the whole process.
struct MyApp {
    installations: InstallationsClient,
    tokens: TokenClient,
    webhooks: WebhookVerifier,
    install_url: String,
    http: reqwest::Client,
    /// `https://api.notion.com`
    notion_url: String,
}

impl MyApp {
    fn new(
        lambda: aws_sdk_lambda::Client,
        install_url: &str,
        webhooks: WebhookVerifier,
        http: reqwest::Client,
        notion_url: &str,
    ) -> Self {
        // The names are outputs of the stack.
        let functions = Functions {
            claim: "claim".to_owned(),
            installations: "installations".to_owned(),
            uninstall: "uninstall".to_owned(),
        };
        let tokens = TokenClient::new(lambda.clone(), "token").called("my app");
        let installations = InstallationsClient::new(lambda, functions).called("my app").with_tokens(&tokens);
        let (install_url, notion_url) = (install_url.to_owned(), notion_url.to_owned());
        Self { installations, tokens, webhooks, install_url, http, notion_url }
    }

    /// The button "Connect Notion". Keep the answer in the session of the user who is logged in, and send the browser
    /// to its `url`.
    fn connect(&self) -> Result<Begun, NoRandomness> {
        begin(&self.install_url, "app")
    }

    /// The return destination. `begun` is from the session, `user` is who is logged in now, `query` what the browser
    /// brought.
    async fn back(
        &self,
        begun: &Begun,
        user: &str,
        query: &[(String, String)],
    ) -> Result<Installation, InstallationsError> {
        let code = begun.code_from(query.iter().map(|(name, value)| (name, value)))?;
        let verifier = begun.verifier();
        let claim = Claim { code: &code, verifier, subject: user, accept_different_account: false };
        self.installations.claim(&claim).await
    }

    /// The settings page.
    async fn settings(&self, user: &str) -> Result<Vec<Installation>, InstallationsError> {
        Ok(self.installations.installations(&Person::subject(user), None).await?.installations)
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
        match self.installations.disconnect(&Person::subject(user)).await {
            // It was disconnected before.
            Ok(_) | Err(InstallationsError::NotInstalled) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The endpoint of the webhook. `body` as it came; if it is refused, answer 401.
    fn webhook(&self, headers: &http::HeaderMap, body: &[u8]) -> Result<Event, InvalidWebhook> {
        self.webhooks.verify(headers, body)
    }
}
