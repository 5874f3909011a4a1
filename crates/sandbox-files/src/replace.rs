//! Replaces a text in a file.

use std::path::Path;

use memchr::memmem::Finder;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::Error;
use crate::limits::{READ_BYTES, REPLACE_TEXT_BYTES};
use crate::part::Part;
use crate::root::{Root, check_regular};

/// Replaces every occurrence of a text, and returns how many there were. A file without one is not touched.
pub(crate) fn replace(root: &Root, path: &Path, old: &[u8], new: &[u8]) -> Result<u64, Error> {
    if old.is_empty() {
        return Err(Error::InvalidPattern("it is empty".to_owned()));
    }
    if old.len().max(new.len()) > REPLACE_TEXT_BYTES {
        let problem = format!("it is longer than {REPLACE_TEXT_BYTES} bytes");
        return Err(Error::InvalidPattern(problem));
    }
    let place = root.place_of_target(path)?;
    check_regular(&place.stat()?)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&place.dir, &*place.name, flags, Mode::empty())?;
    check_regular(&rustix::fs::fstat(&file)?)?;
    let part = Part::new(place, None)?;
    let mut read = |buffer: &mut [u8]| loop {
        match rustix::io::read(&file, &mut *buffer) {
            Err(Errno::INTR) => {}
            read => return Ok(read?),
        }
    };
    let count = copy(&mut read, &mut |bytes| part.write(bytes), old, new)?;
    if count > 0 {
        part.publish()?;
    }
    Ok(count)
}

/// Copies what is read, with `new` for each `old`, and returns how many there were. In memory there is a block and what may be
/// the beginning of an `old`.
fn copy(
    read: &mut dyn FnMut(&mut [u8]) -> Result<usize, Error>,
    write: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    old: &[u8],
    new: &[u8],
) -> Result<u64, Error> {
    let finder = Finder::new(old);
    let mut block = vec![0; READ_BYTES];
    let mut held = Vec::new();
    let mut count = 0;
    loop {
        let length = read(&mut block)?;
        if length == 0 {
            write(&held)?;
            return Ok(count);
        }
        held.extend_from_slice(&block[..length]);
        let mut copied = 0;
        for at in finder.find_iter(&held) {
            write(&held[copied..at])?;
            write(new)?;
            copied = at + old.len();
            count += 1;
        }
        // Any one that begins before this would be whole, and was found.
        let end = copied.max((held.len() + 1).saturating_sub(old.len()));
        write(&held[copied..end])?;
        held.drain(..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `copy` makes of a text that comes in pieces.
    fn replaced(text: &str, piece: usize, old: &str, new: &str) -> (String, u64) {
        let mut rest = text.as_bytes();
        let mut written = Vec::new();
        let mut read = |buffer: &mut [u8]| {
            let (now, behind) = rest.split_at(piece.min(rest.len()));
            buffer[..now.len()].copy_from_slice(now);
            rest = behind;
            Ok(now.len())
        };
        let mut write = |bytes: &[u8]| {
            written.extend_from_slice(bytes);
            Ok(())
        };
        let count = copy(&mut read, &mut write, old.as_bytes(), new.as_bytes()).unwrap();
        (String::from_utf8(written).unwrap(), count)
    }

    #[test]
    fn replaces_as_std_does_whatever_the_pieces() {
        let texts = [
            "",
            "a",
            "aa",
            "aaa",
            "aabaabaab",
            "xaaby",
            "abababab",
            "baaaab",
        ];
        for text in texts {
            for old in ["a", "aa", "aab", "abab", "zz", "aabaabaabaab"] {
                for new in ["", "a", "aab", "long enough to matter"] {
                    for piece in 1..=10 {
                        let count = text.matches(old).count() as u64;
                        let expect = (text.replace(old, new), count);
                        assert_eq!(
                            replaced(text, piece, old, new),
                            expect,
                            "{text} {old} {new}"
                        );
                    }
                }
            }
        }
    }
}
