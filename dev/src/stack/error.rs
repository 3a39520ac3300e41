//! Why the stack did not start.

use std::io;
use std::path::PathBuf;

use vault::SetUpError;

use crate::aws::DynamoError;

/// Why the stack did not start, in one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The app's port.
    #[error("port {port} is not available on localhost ({cause}): choose another with --port N")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        cause: io::Error,
    },
    /// The simulated Notion's port.
    #[error(
        "port {port} for the simulated Notion is not available ({cause}): choose another with --port N (Notion: N+1)"
    )]
    NotionPort {
        /// The port.
        port: u16,
        /// Why.
        cause: io::Error,
    },
    /// The AWS stand-ins' port.
    #[error(
        "port {port} for the AWS stand-ins is not available ({cause}): choose another with --port N (AWS: N+2)"
    )]
    AwsPort {
        /// The port.
        port: u16,
        /// Why.
        cause: io::Error,
    },
    /// The data folder.
    #[error("the data folder {} cannot be used ({cause}): choose another with --data DIR", dir.display())]
    Data {
        /// The folder.
        dir: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The embedded database.
    #[error(transparent)]
    Dynamo(#[from] DynamoError),
    /// A function's settings.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// Another error of the operating system.
    #[error("the stack cannot start: {0}")]
    Io(#[from] io::Error),
}
