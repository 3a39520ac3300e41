//! The lines of a file of tokens: read one at a time, from a pipe or from a file that nobody else may read.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::outcome::Failure;

/// The longest line that is read, in bytes. A pair of tokens with all ids takes about five hundred.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Opens what the command line names: `-` is standard input.
///
/// A file has to be readable by its owner alone, and its owner has to be whoever runs this. It is asked of the open file,
/// so that nobody can put another in its place.
pub(super) fn open(path: &Path) -> Result<File, Failure> {
    if path == Path::new("-") {
        if io::stdin().is_terminal() {
            return Err(Failure::Misused(
                "standard input is a terminal, which would show the tokens: give a file, or pipe the lines in".to_owned(),
            ));
        }
        let input = standard_input()
            .map_err(|error| Failure::Unknown(format!("standard input cannot be read: {error}")))?;
        return private(input, path, true);
    }
    let is_a_token = |name: &str| ["ntn_", "nrt_", "secret_"].iter().any(|prefix| name.starts_with(prefix));
    if path.to_str().is_some_and(is_a_token) {
        return Err(Failure::Misused(
            "that is a token, and no command takes one as an argument: name a file, or pipe the lines in"
                .to_owned(),
        ));
    }
    let file = File::open(path)
        .map_err(|error| Failure::Refused(format!("{} cannot be read: {error}", path.display())))?;
    private(file, path, false)
}

#[cfg(unix)]
fn standard_input() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn standard_input() -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}

#[cfg(unix)]
fn private(file: File, path: &Path, is_standard_input: bool) -> Result<File, Failure> {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    let unread =
        |error: io::Error| Failure::Unknown(format!("{} cannot be looked at: {error}", path.display()));
    let found = file.metadata().map_err(unread)?;
    let kind = found.file_type();
    if kind.is_dir() {
        return Err(Failure::Refused(format!("{} is a directory", path.display())));
    }
    // Only this process has the other end of a pipe that the shell made.
    if is_standard_input && !kind.is_file() {
        return Ok(file);
    }
    if !kind.is_file() && !kind.is_fifo() {
        return Err(Failure::Refused(format!("{} is neither a file nor a pipe", path.display())));
    }
    let name = if is_standard_input { "FILE".to_owned() } else { path.display().to_string() };
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(Failure::Refused(format!(
            "{name} belongs to another user, who may change it meanwhile; nothing was read. Run: sudo chown \"$(id -un)\" \
             {name} && chmod 600 {name}"
        )));
    }
    if found.mode() & 0o077 != 0 {
        return Err(Failure::Refused(format!(
            "{name} holds tokens, and other users may read or write it (mode {:04o}); nothing was read. Run: chmod 600 \
             {name}",
            found.mode() & 0o7777
        )));
    }
    Ok(file)
}

#[cfg(not(unix))]
fn private(file: File, path: &Path, is_standard_input: bool) -> Result<File, Failure> {
    if is_standard_input {
        return Ok(file);
    }
    Err(Failure::Refused(format!(
        "who may read {} cannot be told on this system: pipe the lines in, with - as the file",
        path.display()
    )))
}

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Text(&'a [u8]),
    TooLong,
}

/// Reads lines into one buffer, which is wiped at the end. A line is gone when the next one is read.
pub(super) struct Lines<R> {
    from: R,
    buffer: Zeroizing<Vec<u8>>,
    /// What of the buffer is not used up yet.
    start: usize,
    end: usize,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn of(from: R) -> Self {
        Self { from, buffer: Zeroizing::new(vec![0; MAX_LINE_BYTES]), start: 0, end: 0, number: 0 }
    }

    /// The next line and its number, counted from 1.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        let mut is_too_long = false;
        let line = loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(length) = unread.iter().position(|byte| *byte == b'\n') {
                let line = self.start..self.start + length;
                self.start = line.end + 1;
                break line;
            }
            if self.end == self.buffer.len() && self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            } else if self.end == self.buffer.len() {
                is_too_long = true;
                (self.start, self.end) = (0, 0);
            }
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(0) if self.start == self.end && !is_too_long => return Ok(None),
                // The last line needs no end.
                Ok(0) => {
                    let line = self.start..self.end;
                    self.start = self.end;
                    break line;
                }
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        self.number += 1;
        if is_too_long {
            return Ok(Some((self.number, Line::TooLong)));
        }
        let text = &self.buffer[line];
        Ok(Some((self.number, Line::Text(text.strip_suffix(b"\r").unwrap_or(text)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one piece at a time.
    struct Pieces<'a>(Vec<&'a [u8]>);

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let length = self.0[0].len().min(into.len());
            into[..length].copy_from_slice(&self.0[0][..length]);
            self.0[0] = &self.0[0][length..];
            if self.0[0].is_empty() {
                self.0.remove(0);
            }
            Ok(length)
        }
    }

    fn all(pieces: Vec<&[u8]>) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::of(Pieces(pieces));
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            found.push(match line {
                Line::Text(text) => (number, Some(String::from_utf8(text.to_vec()).unwrap())),
                Line::TooLong => (number, None),
            });
        }
        found
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = |number, text: &str| (number, Some(text.to_owned()));
        let expected = [text(1, "a"), text(2, ""), text(3, "bc"), text(4, "d")];
        let whole = b"a\n\nbc\r\nd";
        assert_eq!(all(vec![&whole[..]]), expected);
        assert_eq!(all(whole.chunks(1).collect()), expected);
        assert_eq!(all(vec![&b"a\n\nbc\nd\n"[..]]), expected);
        assert_eq!(all(vec![]), []);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_read() {
        let long = vec![b'x'; MAX_LINE_BYTES + 1];
        let full = vec![b'y'; MAX_LINE_BYTES - 1];
        let found = all(vec![b"a\n", &long, b"\n", &full, b"\nb\n", &long]);
        let lengths: Vec<_> =
            found.iter().map(|(number, text)| (*number, text.as_ref().map(String::len))).collect();
        assert_eq!(
            lengths,
            [(1, Some(1)), (2, None), (3, Some(MAX_LINE_BYTES - 1)), (4, Some(1)), (5, None)]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused_with_what_to_run() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::env::temp_dir().join(format!("operator-adopt-{}", std::process::id()));
        std::fs::write(&path, "secret").unwrap();
        for (mode, is_private) in
            [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false), (0o610, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match open(&path) {
                Ok(_) => assert!(is_private, "{mode:o}"),
                Err(Failure::Refused(said)) => {
                    assert!(!is_private && said.contains("chmod 600"), "{mode:o}: {said}");
                }
                Err(other) => panic!("{mode:o}: {other}"),
            }
        }
        std::fs::remove_file(&path).unwrap();
        for path in [std::env::temp_dir(), "/dev/null".into(), "/nonexistent".into()] {
            assert!(matches!(open(&path), Err(Failure::Refused(_))), "{}", path.display());
        }
    }
}
