//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Looks after a deployed stack.
///
/// `doctor`, `list`, `show` and `keys progress` change nothing; `export` writes a file. No command prints a token, and none
/// takes a secret as an argument.
///
/// Ends with 0 if all is well, 1 if something has to be done, 2 if it was called wrongly, 3 if it could not look.
#[derive(Debug, Parser)]
#[command(name = "operator", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// The stack's name
    #[arg(long, global = true, value_name = "NAME", default_value = "notion-install-dev")]
    pub(crate) stack: String,
    /// Its Region; else the one of the environment or of the profile
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The profile to take credentials from; else the usual chain
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
    Doctor,
    /// The client secret in Secrets Manager; read from a prompt, or from standard input, never from an argument
    #[command(subcommand)]
    Secret(SecretCommand),
    /// List the installations that have tokens, one a line
    List {
        /// Those of this workspace only, removed ones included
        #[arg(long, value_name = "ID")]
        workspace: Option<String>,
    },
    /// Show all that is kept of an installation, but its tokens
    Show {
        /// Notion's id of the workspace
        #[arg(required_unless_present = "bot", conflicts_with = "bot", requires = "user_id")]
        workspace_id: Option<String>,
        /// Notion's id of the person; - for an installation that the workspace owns
        #[arg(required_unless_present = "bot", conflicts_with = "bot")]
        user_id: Option<String>,
        /// The installation that an alarm names by its bot
        #[arg(long, value_name = "ID")]
        bot: Option<String>,
    },
    /// Have the tokens of an installation refreshed; the new ones are not shown
    Refresh(Person),
    /// Give the tokens of an installation back to Notion, and forget them
    Revoke {
        #[command(flatten)]
        person: Person,
        /// Let nothing of the person stay
        #[arg(long)]
        forget: bool,
        /// Only this generation; one that was installed later stays
        #[arg(long, value_name = "N")]
        generation: Option<u64>,
        /// Do not ask first
        #[arg(long)]
        yes: bool,
    },
    /// Run the sweep once; takes up to four minutes
    Sweep,
    /// Move dead letters back into the rescue queue, then sweep
    Rescue,
    /// Write every row of the table of installations into a new file; tokens stay sealed
    Export {
        /// The file; must not be there yet
        file: PathBuf,
        /// Another table, such as one that was restored
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
    },
    /// Write rows of a backup into the table of installations; newer ones stay, people who were forgotten stay forgotten
    Import {
        #[command(flatten)]
        backup: Backup,
        /// Also over rows that are newer; their tokens are kept beside those of the backup
        #[arg(long)]
        overwrite: bool,
        /// Do not ask before overwriting
        #[arg(long, requires = "overwrite")]
        yes: bool,
    },
    /// The keys that tokens are sealed with
    #[command(subcommand)]
    Keys(KeysCommand),
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
    /// A file that `export` wrote
    pub(crate) file: Option<PathBuf>,
    /// A table, such as one that was restored
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Store the first one
    Set {
        /// Store it even if Notion cannot be asked whether it is right
        #[arg(long)]
        without_proof: bool,
    },
    /// Store the one that comes after it; installs in flight go on with the one before
    Rotate {
        /// Store it even if Notion cannot be asked whether it is right
        #[arg(long)]
        without_proof: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Add a key, which seals from then on; the older ones go on opening
    Rotate,
    /// Count the rows of each key; ends with 1 while some are sealed with an older one
    Progress,
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
            "list --workspace w",
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
            "keys rotate",
            "keys progress --json",
        ] {
            let words = ["operator"].into_iter().chain(typed.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{typed}");
        }
        for typed in [
            "show",
            "show w",
            "show w u --bot b",
            "show w --bot b",
            "import",
            "import f --table t",
            "import f --yes",
            "refresh w",
            "keys",
        ] {
            let words = ["operator"].into_iter().chain(typed.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{typed}");
        }
    }
}
