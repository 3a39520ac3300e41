//! The token key ring: adds a key, and shows how many rows still use older ones.

use serde_json::{Value, json};
use shared::random::OsRandom;
use shared::secret::KeyRingText;
use vault::seal::{BadKeyRing, KeyRing, with_next_key};

use crate::aws::{Aws, in_words};
use crate::outcome::{Failure, Outcome};
use crate::secret_version::{Replaced, replace};
use crate::stack::Stack;
use crate::tables::{sealed_with, store};

/// The ring as stored in Secrets Manager.
pub(crate) struct Stored {
    text: KeyRingText,
    /// The ring.
    pub(crate) ring: KeyRing,
    version_id: String,
}

/// Reads the ring.
pub(crate) async fn read(aws: &Aws, stack: &Stack) -> Result<Stored, Failure> {
    let get = aws.secrets_manager.get_secret_value().secret_id(stack.resource("TokenKeyRing")?);
    let answer = get.version_stage("AWSCURRENT").send().await.map_err(|error| failed(&in_words(&error)))?;
    let text = KeyRingText::parse(answer.secret_string().unwrap_or_default());
    let text = text.map_err(|_| no_ring(BadKeyRing))?;
    let ring = KeyRing::parse(text.expose()).map_err(no_ring)?;
    Ok(Stored { text, ring, version_id: answer.version_id().unwrap_or_default().to_owned() })
}

/// Adds a key, which seals from then on. Older keys still open what they sealed.
///
/// Two different keys with one version would make rows unreadable. So the new ring is stored beside the current one,
/// and becomes current only if the ring that it was made from still is.
///
/// # Errors
///
/// [`Failure`]. The ring is unchanged, unless the error says that this is unknown.
pub async fn rotate(aws: &Aws, stack: &Stack) -> Result<Outcome, Failure> {
    let id = stack.resource("TokenKeyRing")?;
    let before = read(aws, stack).await?;
    let (text, version) = with_next_key(&before.text, &OsRandom).map_err(no_ring)?;
    match replace(aws, id, &before.version_id, text.expose()).await {
        Replaced::Yes => {}
        Replaced::No(words) => return Err(failed(&words)),
        Replaced::BySomebodyElse(_) => {
            let told = "somebody else rotated the ring at the same time; their key was added, yours was not";
            return Err(Failure::Refused(told.to_owned()));
        }
        Replaced::Unknown(words) => {
            return Err(Failure::Unknown(format!(
                "it is unknown whether key {} is in the ring ({words}): see `keys progress`",
                version.0
            )));
        }
    }
    let said = format!(
        "Key {} is in the ring. Functions seal with it within five minutes, and the sweep re-encrypts older rows. \
         Next: {}",
        version.0,
        aws.commands.operator("keys progress")
    );
    Ok(Outcome::well(said, json!({"version": version.0})))
}

/// Counts the rows sealed with each key.
///
/// # Errors
///
/// [`Failure`].
pub async fn progress(aws: &Aws, stack: &Stack) -> Result<Outcome, Failure> {
    let (ring, store) = (read(aws, stack).await?.ring, store(aws, stack)?);
    let (mut lines, mut keys, mut older) = (Vec::new(), Vec::new(), 0);
    for version in ring.versions() {
        let rows = sealed_with(&store, version).await?.len();
        let is_newest = version == ring.newest();
        if !is_newest {
            older += rows;
        }
        lines.push(format!("key {}{}: {rows} rows", version.0, if is_newest { ", the newest" } else { "" }));
        keys.push(json!({"version": version.0, "rows": rows}));
    }
    lines.push(if older == 0 {
        "No row is sealed with an older key. Leave the older keys in the ring: backups and the rescue queue may hold \
         rows sealed with them"
            .to_owned()
    } else {
        let sweep = aws.commands.operator("sweep");
        format!("{older} rows are sealed with an older key. The sweep re-encrypts a thousand per run: wait, or {sweep}")
    });
    let json = json!({"keys": Value::from(keys), "older_rows": older});
    Ok(Outcome::unless(older > 0, lines.join("\n"), json))
}

fn no_ring(error: BadKeyRing) -> Failure {
    Failure::Refused(format!("{error}; docs/runbook.md, \"A secret is gone\""))
}

fn failed(words: &str) -> Failure {
    Failure::Unknown(format!("Secrets Manager: {words}"))
}
