//! The headers of entries, with the extensions for long names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::Stat;
use tar::{EntryType, Header, PaxExtensions};

use super::stream::{Incoming, Outgoing};
use super::{BLOCK, padding};
use crate::Error;
use crate::limits::ARCHIVE_NAME_BYTES;

/// Writes the header of an entry. A name or a link that is longer than its field has an entry of its own before, as GNU tar
/// writes it.
pub(super) fn write_header(
    to: &mut Outgoing,
    kind: EntryType,
    name: &OsStr,
    link: Option<&[u8]>,
    stat: &Stat,
) -> Result<(), Error> {
    let mut name = name.as_bytes().to_vec();
    if kind == EntryType::Directory {
        name.push(b'/');
    }
    let mut header = Header::new_gnu();
    if name.len() > NAME_FIELD {
        write_long(to, EntryType::GNULongName, &name)?;
    }
    if let Some(link) = link.filter(|link| link.len() > NAME_FIELD) {
        write_long(to, EntryType::GNULongLink, link)?;
    }
    let fields = header.as_old_mut();
    fill(&mut fields.name, &name);
    fill(&mut fields.linkname, link.unwrap_or_default());
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    // The format has no times before 1970.
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(match kind {
        EntryType::Regular => u64::try_from(stat.st_size).unwrap_or(0),
        _ => 0,
    });
    header.set_cksum();
    to.put(header.as_bytes())
}

fn write_long(to: &mut Outgoing, kind: EntryType, name: &[u8]) -> Result<(), Error> {
    let mut header = Header::new_gnu();
    fill(&mut header.as_old_mut().name, b"././@LongLink");
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    // With the NUL at its end.
    let size = name.len() as u64 + 1;
    header.set_size(size);
    header.set_cksum();
    to.put(header.as_bytes())?;
    to.put(name)?;
    to.put(&[0; BLOCK + 1][..1 + padding(size)])
}

/// Copies as much as there is room for.
fn fill(field: &mut [u8], bytes: &[u8]) {
    let length = field.len().min(bytes.len());
    field[..length].copy_from_slice(&bytes[..length]);
}

/// An entry of an archive.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: EntryType,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) size: u64,
    pub(super) mode: u32,
    pub(super) modified: u64,
}

/// Reads the header of the next entry, whose content follows; `None` at the end of the archive.
pub(super) fn read_header(from: &mut Incoming) -> Result<Option<Entry>, Error> {
    let mut extensions = Extensions::default();
    let mut block = [0; BLOCK];
    loop {
        from.read_exact(&mut block)?;
        if block == [0; BLOCK] {
            from.read_exact(&mut block)?;
            return if block == [0; BLOCK] {
                Ok(None)
            } else {
                Err(Error::InvalidArchive("a header is missing"))
            };
        }
        let header = Header::from_byte_slice(&block);
        check_sum(header)?;
        let size = header.entry_size().map_err(|_| damaged())?;
        let kind = header.entry_type();
        match kind {
            EntryType::GNULongName => extensions.name = Some(read_long(from, size)?),
            EntryType::GNULongLink => extensions.link = Some(read_long(from, size)?),
            EntryType::XHeader => extensions.read(&read_bounded(from, size)?)?,
            // It is about all entries; none of what this uses is.
            EntryType::XGlobalHeader => skip(from, size)?,
            _ => {
                let modified = header.mtime().map_err(|_| damaged())?;
                return Ok(Some(Entry {
                    kind,
                    name: extensions
                        .name
                        .unwrap_or_else(|| header.path_bytes().into()),
                    link: extensions
                        .link
                        .or_else(|| Some(header.link_name_bytes()?.into()))
                        .unwrap_or_default(),
                    size: extensions.size.unwrap_or(size),
                    // Never what a program runs as: an archive does not make one that runs as another user.
                    mode: header.mode().map_err(|_| damaged())? & 0o1777,
                    modified: extensions.modified.unwrap_or(modified),
                }));
            }
        }
    }
}

/// Discards the content of an entry, with its padding.
pub(super) fn skip(from: &mut Incoming, size: u64) -> Result<(), Error> {
    let length = size.checked_add(padding(size) as u64).ok_or_else(damaged)?;
    from.copy(length, |_| Ok(()))
}

/// What other entries say about the next one.
#[derive(Debug, Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    modified: Option<u64>,
}

impl Extensions {
    /// Takes the records of a pax header.
    fn read(&mut self, records: &[u8]) -> Result<(), Error> {
        for record in PaxExtensions::new(records) {
            let record = record.map_err(|_| damaged())?;
            let value = record.value_bytes();
            let number = || {
                // A time may have a fraction.
                let text = value.split(|byte| *byte == b'.').next()?;
                std::str::from_utf8(text).ok()?.parse().ok()
            };
            match record.key_bytes() {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(number().ok_or_else(damaged)?),
                // One before 1970 is left as the header has it.
                b"mtime" => self.modified = number(),
                key if key.starts_with(b"GNU.sparse.") => return Err(sparse()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads the name in the content of an entry.
fn read_long(from: &mut Incoming, size: u64) -> Result<Vec<u8>, Error> {
    let mut name = read_bounded(from, size)?;
    let end = name.iter().position(|byte| *byte == 0);
    name.truncate(end.unwrap_or(name.len()));
    Ok(name)
}

fn read_bounded(from: &mut Incoming, size: u64) -> Result<Vec<u8>, Error> {
    let length = usize::try_from(size).unwrap_or(usize::MAX);
    if length > ARCHIVE_NAME_BYTES {
        return Err(Error::InvalidArchive("a name in it is too long"));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    from.read_exact(&mut [0; BLOCK][..padding(size)])?;
    Ok(bytes)
}

fn check_sum(header: &Header) -> Result<(), Error> {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let bytes = header.as_bytes();
    // The field of the sum counts as spaces.
    let expected = sum(bytes) - sum(&bytes[148..156]) + 8 * u32::from(b' ');
    match header.cksum() {
        Ok(found) if found == expected => Ok(()),
        _ => Err(damaged()),
    }
}

fn damaged() -> Error {
    Error::InvalidArchive("a header is damaged")
}

pub(super) fn sparse() -> Error {
    Error::InvalidArchive("sparse files cannot be extracted; help: archive them without --sparse")
}

/// Bytes of a name in a header.
const NAME_FIELD: usize = 100;
