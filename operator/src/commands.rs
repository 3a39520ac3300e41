//! The commands in cures: complete for this stack, ready to paste.

/// Where the commands apply.
#[derive(Debug, Clone)]
pub struct Commands {
    /// The stack.
    pub stack: String,
    /// Its Region.
    pub region: String,
    /// The profile, if one was given.
    pub profile: Option<String>,
}

impl Commands {
    /// A command of this program, such as `secret set`.
    #[must_use]
    pub fn operator(&self, command: &str) -> String {
        format!("cargo run --package operator -- --stack {} {}{command}", self.stack, self.place())
    }

    /// A command of the AWS command line.
    #[must_use]
    pub fn aws(&self, command: &str) -> String {
        format!("aws {}{command}", self.place())
    }

    /// Deploys the current checkout.
    #[must_use]
    pub fn deploy(&self) -> String {
        format!("sam build && sam deploy --stack-name {} {}", self.stack, self.place()).trim_end().to_owned()
    }

    /// Shows a function's log.
    #[must_use]
    pub fn log(&self, function: &str) -> String {
        format!("sam logs --stack-name {} {}--name {function}", self.stack, self.place())
    }

    fn place(&self) -> String {
        let profile = self.profile.as_ref().map(|profile| format!("--profile {profile} "));
        format!("--region {} {}", self.region, profile.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_stack_region_and_profile() {
        let mut commands =
            Commands { stack: "a-stack".to_owned(), region: "eu-west-1".to_owned(), profile: None };
        let set = "cargo run --package operator -- --stack a-stack --region eu-west-1 secret set";
        assert_eq!(commands.operator("secret set"), set);
        assert_eq!(commands.deploy(), "sam build && sam deploy --stack-name a-stack --region eu-west-1");
        commands.profile = Some("work".to_owned());
        assert_eq!(commands.aws("kms enable-key"), "aws --region eu-west-1 --profile work kms enable-key");
    }
}
