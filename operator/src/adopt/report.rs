//! What became of each line, for people and for programs. No entry has a token in it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};
use vault::installation::InstallationId;
use vault::subject::Subject;

use super::proof::RefreshProof;
use crate::outcome::{Failure, plain};

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Its tokens are in the table, and its subject is linked.
    Adopted,
    /// Its tokens were there, and its subject is linked now.
    Linked,
    /// All of it was so before.
    Already,
    /// The person has installed here since, for the same subject.
    Installed,
    /// It would be adopted.
    WouldAdopt,
    /// Its subject would be linked.
    WouldLink,
    /// The installation is in the table, and it is not known yet whether its tokens are alive.
    Unverified,
    /// It is no line that can be read.
    Invalid,
    /// Its access token is dead, and it has no living refresh token.
    Dead,
    /// Its access token does not work; its refresh token may.
    Expired,
    /// It is another connection's.
    Foreign,
    /// An id is not the one that Notion says.
    Mismatch,
    /// Notion does not say whose it is.
    Unidentified,
    /// Its workspace may not be connected.
    NotAllowed,
    /// The installation has other tokens.
    Duplicate,
    /// The installation was removed.
    Removed,
    /// The person was forgotten.
    Forgotten,
    /// The installation has as many subjects as it may have.
    TooManySubjects,
    /// The installation's row cannot be read or written.
    Unreadable,
    /// Notion gave no conclusive answer.
    Unknown,
}

impl Fate {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Adopted => "adopted",
            Self::Linked => "linked",
            Self::Already => "already",
            Self::Installed => "installed",
            Self::WouldAdopt => "would_adopt",
            Self::WouldLink => "would_link",
            Self::Unverified => "unverified",
            Self::Invalid => "invalid",
            Self::Dead => "dead",
            Self::Expired => "expired",
            Self::Foreign => "foreign",
            Self::Mismatch => "mismatch",
            Self::Unidentified => "unidentified",
            Self::NotAllowed => "not_allowed",
            Self::Duplicate => "duplicate",
            Self::Removed => "removed",
            Self::Forgotten => "forgotten",
            Self::TooManySubjects => "too_many_subjects",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
        }
    }

    /// Whether there is nothing left to do about the line.
    fn is_well(self) -> bool {
        matches!(
            self,
            Self::Adopted
                | Self::Linked
                | Self::Already
                | Self::Installed
                | Self::WouldAdopt
                | Self::WouldLink
        )
    }
}

/// What became of one line.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) line: u64,
    pub(super) subject: Option<Subject>,
    pub(super) id: Option<InstallationId>,
    pub(super) fate: Fate,
    pub(super) refresh: Option<RefreshProof>,
    pub(super) why: Option<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    line: u64,
    subject: Option<&'a str>,
    outcome: &'static str,
    installation_id: Option<&'a str>,
    refresh_token: Option<&'static str>,
    why: Option<&'a str>,
}

impl Entry {
    pub(super) fn of(line: u64, subject: Option<Subject>, fate: Fate) -> Self {
        Self { line, subject, id: None, fate, refresh: None, why: None }
    }

    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    fn written(&self) -> Written<'_> {
        Written {
            line: self.line,
            subject: self.subject.as_ref().map(Subject::as_str),
            outcome: self.fate.key(),
            installation_id: self.id.as_ref().map(InstallationId::as_str),
            refresh_token: self.refresh.map(RefreshProof::key),
            why: self.why.as_deref(),
        }
    }

    fn said(&self) -> String {
        let Written { line, subject, outcome, installation_id, why, .. } = self.written();
        let [subject, id, why] = [(" of ", subject), (", ", installation_id), (": ", why)]
            .map(|(before, text)| text.map(|text| format!("{before}{text}")).unwrap_or_default());
        plain(&format!("line {line}{subject}{id}: {outcome}{why}"))
    }
}

/// All entries so far: counted, printed if somebody has to do something about them, and written to a file if one was named.
pub(super) struct Report<'a> {
    file: Option<(File, PathBuf)>,
    print: Option<&'a mut dyn FnMut(&str)>,
    lines: u64,
    fates: BTreeMap<Fate, u64>,
    refresh_tokens: BTreeMap<&'static str, u64>,
}

/// How often the terminal hears how far it is, in lines.
const SAY_EVERY: u64 = 100;

impl<'a> Report<'a> {
    /// `print`: where entries are shown to which somebody has to attend.
    pub(super) fn begin(
        path: Option<&Path>,
        print: Option<&'a mut dyn FnMut(&str)>,
    ) -> Result<Self, Failure> {
        let open = |path: &Path| {
            let file = appending(path).map_err(|error| {
                Failure::Refused(format!("{} cannot be written: {error}", path.display()))
            })?;
            Ok::<_, Failure>((file, path.to_owned()))
        };
        let file = path.map(open).transpose()?;
        Ok(Self { file, print, lines: 0, fates: BTreeMap::new(), refresh_tokens: BTreeMap::new() })
    }

    pub(super) fn add(&mut self, entry: &Entry) -> Result<(), Failure> {
        self.lines += 1;
        *self.fates.entry(entry.fate).or_default() += 1;
        if let Some(refresh) = entry.refresh {
            *self.refresh_tokens.entry(refresh.key()).or_default() += 1;
        }
        if let Some((file, path)) = &mut self.file {
            let failed = |error: io::Error| {
                Failure::Unknown(format!(
                    "{} could not be written: {error}. The same command goes on where this one stopped",
                    path.display()
                ))
            };
            let mut line = serde_json::to_vec(&entry.written()).map_err(|error| failed(error.into()))?;
            line.push(b'\n');
            // In one write, so that a line is there or not.
            file.write_all(&line).map_err(failed)?;
        }
        if let Some(print) = &mut self.print {
            if !entry.fate.is_well() {
                print(&entry.said());
            }
            if self.lines.is_multiple_of(SAY_EVERY) {
                print(&format!("line {}: {}", entry.line, in_words(&self.fates)));
            }
        }
        Ok(())
    }

    pub(super) fn count(&self, fate: Fate) -> u64 {
        self.fates.get(&fate).copied().unwrap_or(0)
    }

    /// Whether somebody has to do something about a line.
    pub(super) fn needs_you(&self) -> bool {
        self.fates.keys().any(|fate| !fate.is_well())
    }

    pub(super) fn said(&self) -> String {
        let mut said = format!("{} lines: {}", self.lines, in_words(&self.fates));
        if !self.refresh_tokens.is_empty() {
            let counted: Vec<String> =
                self.refresh_tokens.iter().map(|(key, count)| format!("{count} {key}")).collect();
            said = format!("{said}; of the refresh tokens {}", counted.join(", "));
        }
        said
    }

    pub(super) fn to_json(&self) -> Value {
        let outcomes: BTreeMap<&str, u64> =
            self.fates.iter().map(|(fate, count)| (fate.key(), *count)).collect();
        json!({
            "lines": self.lines,
            "outcomes": outcomes,
            "refresh_tokens": self.refresh_tokens,
            "report": self.file.as_ref().map(|(_, path)| path),
        })
    }
}

fn in_words(fates: &BTreeMap<Fate, u64>) -> String {
    let counted: Vec<String> = fates.iter().map(|(fate, count)| format!("{count} {}", fate.key())).collect();
    if counted.is_empty() { "nothing".to_owned() } else { counted.join(", ") }
}

/// Opens a report that only its owner can read, to go on at its end. Another run may have been killed in the middle of a
/// line.
fn appending(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&file.metadata()?) & 0o077 != 0 {
        return Err(io::Error::other("other users may read it, and it names people (chmod 600)"));
    }
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: u64, fate: Fate) -> Entry {
        let mut entry = Entry::of(line, Subject::parse("user 4711"), fate).because("because");
        entry.id = Some(InstallationId::of_user("w", Some("u")));
        entry.refresh = Some(RefreshProof::Unproven);
        entry
    }

    #[test]
    fn a_report_goes_on_where_another_run_was_cut_off() {
        let path = std::env::temp_dir().join(format!("operator-adopt-report-{}", std::process::id()));
        let _none = std::fs::remove_file(&path);
        let begin = || Report::begin(Some(&path), None).unwrap();
        begin().add(&entry(1, Fate::Adopted)).unwrap();
        File::options().append(true).open(&path).unwrap().write_all(b"{\"line\":2,\"sub").unwrap();
        begin().add(&entry(2, Fate::Duplicate)).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Option<Value>> = written.lines().map(|line| serde_json::from_str(line).ok()).collect();
        let of = |line: u64, outcome: &str| {
            Some(
                json!({"line": line, "subject": "user 4711", "outcome": outcome, "installation_id": "w/user/u",
                "refresh_token": "unproven", "why": "because"}),
            )
        };
        assert_eq!(lines, [of(1, "adopted"), None, of(2, "duplicate")]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_needs_somebody_is_printed_and_all_is_counted() {
        let mut printed = Vec::new();
        let mut print = |line: &str| printed.push(line.to_owned());
        let mut report = Report::begin(None, Some(&mut print)).unwrap();
        assert!(!report.needs_you());
        for (line, fate) in [(1, Fate::Adopted), (2, Fate::Already), (4, Fate::Foreign)] {
            report.add(&entry(line, fate)).unwrap();
        }
        assert!(report.needs_you());
        assert_eq!(
            report.said(),
            "3 lines: 1 adopted, 1 already, 1 foreign; of the refresh tokens 3 unproven"
        );
        assert_eq!(report.to_json()["outcomes"], json!({"adopted": 1, "already": 1, "foreign": 1}));
        assert_eq!(printed, ["line 4 of user 4711, w/user/u: foreign: because"]);
    }
}
