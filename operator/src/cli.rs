//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Operates a deployed stack.
///
/// `doctor`, `list`, `show`, `events tail`, `keys progress`, `adopt --dry-run`, `onboard show`, `onboard run --dry-run`
/// and the `recipe` commands change nothing; `export` writes a file. No command prints a token, and none takes a secret as an argument.
/// `webhook secret --show` prints the one secret that your app needs.
///
/// Exits with 0 if all is well, 1 if something has to be done, 2 if the command line is wrong, and 3 if the operator
/// could not find out.
#[derive(Debug, Parser)]
#[command(name = "operator", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// The stack's name
    #[arg(long, global = true, value_name = "NAME", default_value = "notion-install-dev")]
    pub(crate) stack: String,
    /// Its Region; by default the one from the environment or the profile
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The profile to take credentials from; by default the usual chain
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say, step by step, what is right and what to do next; changes nothing
    Doctor {
        /// Also open this return destination of your app with a made-up code, which it has to refuse
        #[arg(long, value_name = "KEY")]
        return_to: Option<String>,
    },
    /// The client secret in Secrets Manager; read from a prompt or standard input, never from an argument
    #[command(subcommand)]
    Secret(SecretCommand),
    /// List the installations that have tokens, one per line
    List {
        /// Only those of this workspace, including removed ones
        #[arg(long, value_name = "ID", conflicts_with = "subject")]
        workspace: Option<String>,
        /// Only those of this user of your app
        #[arg(long, value_name = "NAME")]
        subject: Option<String>,
    },
    /// Show everything that is kept of an installation, except its tokens
    Show {
        /// Notion's id of the workspace
        #[arg(required_unless_present_any = ["bot", "subject"], conflicts_with_all = ["bot", "subject"], requires = "user_id")]
        workspace_id: Option<String>,
        /// Notion's id of the person; - for an installation that the workspace owns
        #[arg(required_unless_present_any = ["bot", "subject"], conflicts_with_all = ["bot", "subject"])]
        user_id: Option<String>,
        /// The installation of the bot that an alarm names
        #[arg(long, value_name = "ID", conflicts_with = "subject")]
        bot: Option<String>,
        /// The installations of this user of your app
        #[arg(long, value_name = "NAME")]
        subject: Option<String>,
    },
    /// Refresh the tokens of an installation; the new ones are not shown
    Refresh(Person),
    /// Revoke the tokens of an installation at Notion, and delete them
    Revoke {
        /// Notion's id of the workspace
        #[arg(required_unless_present = "subject")]
        workspace_id: Option<String>,
        /// Notion's id of the person; - for an installation that the workspace owns
        #[arg(required_unless_present = "subject")]
        user_id: Option<String>,
        /// Disconnect this user of your app; the installation stays if others are linked to it
        #[arg(long, value_name = "NAME")]
        subject: Option<String>,
        /// Keep nothing about the person
        #[arg(long)]
        forget: bool,
        /// Only this generation; a later install stays
        #[arg(long, value_name = "N", requires = "workspace_id")]
        generation: Option<u64>,
        /// Do not ask first
        #[arg(long)]
        yes: bool,
    },
    /// Run the sweep once; takes up to four minutes
    Sweep,
    /// Move dead letters back into the rescue queue, then sweep
    Rescue,
    /// Write every installation and the ledger of its onboarding into a new file; tokens stay sealed
    Export {
        /// The file; it must not exist yet
        file: PathBuf,
        /// Only the rows of another table, such as a restored one
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
    },
    /// Write rows of a backup into the tables; newer rows and ledgers stay, forgotten people stay forgotten
    Import {
        #[command(flatten)]
        backup: Backup,
        /// Overwrite newer rows too; their tokens are kept beside those of the backup
        #[arg(long)]
        overwrite: bool,
        /// Do not ask before overwriting
        #[arg(long, requires = "overwrite")]
        yes: bool,
    },
    /// Take over installations whose tokens were kept elsewhere: each proven by Notion, sealed, and linked to its subject
    Adopt {
        /// One JSON object a line: `subject`, `access_token` and, if known, `refresh_token`, `workspace_id`, `user_id`, `bot_id`.
        /// A file that only you may read, or - for standard input
        file: PathBuf,
        /// Append what became of each line to this file
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        /// The requests to Notion in a minute; a line takes two or three
        #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=60_000))]
        calls_per_minute: u32,
        /// Only say what would be done; Notion is asked all the same
        #[arg(long)]
        dry_run: bool,
        /// Where an access token does not work any more, use the refresh token; the line must have all three ids
        #[arg(long)]
        refresh_expired: bool,
        /// If the connection may not see users, believe the ids of a line
        #[arg(long)]
        trust_ids: bool,
    },
    /// The keys that seal tokens
    #[command(subcommand)]
    Keys(KeysCommand),
    /// What your app is told
    #[command(subcommand)]
    Events(EventsCommand),
    /// The signed requests to your app's endpoint
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// The preparation of people's workspaces
    #[command(subcommand)]
    Onboard(OnboardCommand),
    /// What workspaces are prepared with; needs no stack and no credentials
    #[command(subcommand)]
    Recipe(RecipeCommand),
}

#[derive(Debug, Args)]
pub(crate) struct Person {
    /// Notion's id of the workspace
    pub(crate) workspace_id: String,
    /// Notion's id of the person; - for an installation that the workspace owns
    pub(crate) user_id: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Backup {
    /// A file written by `export`
    pub(crate) file: Option<PathBuf>,
    /// A table, such as a restored one
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Store the first client secret
    Set {
        /// Store it even if Notion cannot be asked whether it is right
        #[arg(long)]
        without_proof: bool,
    },
    /// Store the next client secret; installs in flight continue with the previous one
    Rotate {
        /// Store it even if Notion cannot be asked whether it is right
        #[arg(long)]
        without_proof: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Add a key, which seals from now on; older keys still open what they sealed
    Rotate,
    /// Count the rows of each key; exits with 1 while some are sealed with an older one
    Progress,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Print events as they are published, one per line, until you stop it
    Tail {
        /// Begin with the oldest that the feed keeps
        #[arg(long)]
        since_start: bool,
        /// Stop at the last one
        #[arg(long)]
        no_follow: bool,
    },
    /// Put archived events on the bus again, for every rule and the webhook; they keep their ids
    Replay {
        /// From this time on, such as 2026-11-29T05:00:00Z
        #[arg(long, value_name = "TIME")]
        since: String,
        /// Up to this time; now by default. The archive is about ten minutes behind
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Say whether there is a secret, or print it
    Secret {
        /// Print it
        #[arg(long)]
        show: bool,
    },
    /// Make a new secret; for a day the one before signs too
    Rotate {
        /// End the one before at once, as after a leak
        #[arg(long)]
        at_once: bool,
    },
    /// Send again to an endpoint that answered 410, and what was given up
    Resume,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OnboardCommand {
    /// Show how far an installation's onboarding is, and why it stopped; exits with 1 if it has failed
    Show(Person),
    /// Prepare an installation's workspace, or go on, also if it has failed; what is made is not made again
    Run {
        /// Notion's id of the workspace
        #[arg(required_unless_present = "all", conflicts_with = "all", requires = "user_id")]
        workspace_id: Option<String>,
        /// Notion's id of the person; - for an installation that the workspace owns
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        user_id: Option<String>,
        /// Every active installation that is not prepared with this recipe; those that have failed stay so
        #[arg(long)]
        all: bool,
        /// At most so many of them
        #[arg(long, value_name = "N", requires = "all", conflicts_with = "workspace_id")]
        limit: Option<usize>,
        /// Only say what is left to do, and which requests would be sent
        #[arg(long)]
        dry_run: bool,
        /// The folder of the stack's recipe, for --dry-run and --all; by default the one of its name in recipes/
        #[arg(long, value_name = "DIR")]
        recipe: Option<PathBuf>,
        /// Do not ask before preparing all
        #[arg(long, requires = "all", conflicts_with = "workspace_id")]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecipeCommand {
    /// Say what is wrong, with file and line, or what it makes
    Check {
        /// The recipe's folder
        dir: PathBuf,
    },
    /// Show what it makes, with sample values; an empty value is one that Notion does not say
    Preview {
        /// The recipe's folder
        dir: PathBuf,
        /// The person's name
        #[arg(long, value_name = "NAME", default_value = "Ada Lovelace")]
        person: String,
        /// The person's e-mail address
        #[arg(long, value_name = "E", default_value = "ada@example.com")]
        email: String,
        /// The workspace's name
        #[arg(long, value_name = "NAME", default_value = "Acme")]
        workspace: String,
        /// The app's name
        #[arg(long, value_name = "NAME", default_value = "Sample app")]
        app: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_command_can_be_typed_as_the_documents_say() {
        Cli::command().debug_assert();
        for typed in [
            "list",
            "doctor --return-to app",
            "list --workspace w",
            "list --subject s",
            "show --subject s",
            "revoke --subject s --yes",
            "revoke w u --subject s --yes",
            "show w u",
            "show w -",
            "show --bot b",
            "refresh w u",
            "revoke w - --forget --generation 2 --yes",
            "sweep",
            "rescue",
            "export f --table t",
            "import f --overwrite",
            "import f --overwrite --yes",
            "import --table t",
            "adopt f",
            "adopt - --report r --calls-per-minute 30 --dry-run",
            "adopt f --refresh-expired --trust-ids --json",
            "keys rotate",
            "keys progress --json",
            "events tail",
            "events tail --since-start --no-follow --json",
            "events replay --since 2026-11-29T05:00:00Z --until 2026-11-29T06:00:00Z",
            "webhook secret",
            "webhook secret --show",
            "webhook rotate",
            "webhook rotate --at-once",
            "webhook resume",
            "onboard show w u",
            "onboard show w -",
            "onboard run w u",
            "onboard run w - --dry-run --recipe recipes/tracker --json",
            "onboard run --all",
            "onboard run --all --limit 100 --yes",
            "onboard run --all --dry-run",
            "recipe check recipes/tracker",
            "recipe preview recipes/tracker --person A --email a@b.example --workspace W --app App",
        ] {
            let words = ["operator"].into_iter().chain(typed.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{typed}");
        }
        for typed in [
            "show",
            "show w",
            "show w u --bot b",
            "show w u --subject s",
            "list --workspace w --subject s",
            "revoke",
            "revoke w",
            "show w --bot b",
            "import",
            "import f --table t",
            "import f --yes",
            "adopt",
            "adopt f --calls-per-minute 0",
            "refresh w",
            "keys",
            "events",
            "events replay",
            "webhook",
            "onboard",
            "onboard show w",
            "onboard run",
            "onboard run w",
            "onboard run w u --all",
            "onboard run w u --limit 1",
            "onboard run w u --yes",
            "recipe",
            "recipe check",
            "recipe preview",
        ] {
            let words = ["operator"].into_iter().chain(typed.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{typed}");
        }
    }
}
