//! Users and groups by their names.

use std::path::Path;

use crate::Error;
use crate::root::Root;

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Its id.
    Id(u32),
    /// Its name, looked up in `/etc/passwd` or `/etc/group` below the root.
    Name(String),
}

impl From<&str> for Owner {
    /// Takes digits for an id, as `chown` does.
    fn from(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| Self::Name(text.to_owned()), Self::Id)
    }
}

impl Owner {
    /// Returns the id, with the names of `table`.
    pub(crate) fn resolve(self, root: &Root, table: &str) -> Result<u32, Error> {
        let name = match self {
            // The one that stands for none.
            Self::Id(u32::MAX) => return Err(Error::UnknownOwner(u32::MAX.to_string())),
            Self::Id(id) => return Ok(id),
            Self::Name(name) => name,
        };
        let (file, stat) = root.open_file(Path::new(table))?;
        let length = usize::try_from(stat.st_size).unwrap_or(0).min(TABLE_BYTES);
        let mut text = vec![0; length];
        let length = rustix::io::pread(&file, &mut text, 0)?;
        let text = String::from_utf8_lossy(&text[..length]);
        let id = text.lines().find_map(|line| {
            let mut fields = line.split(':');
            let is_it = fields.next() == Some(&name);
            is_it.then(|| fields.nth(1)?.parse().ok()).flatten()
        });
        id.ok_or(Error::UnknownOwner(name))
    }
}

pub(crate) const USERS: &str = "/etc/passwd";
pub(crate) const GROUPS: &str = "/etc/group";

/// More of a table is not read.
const TABLE_BYTES: usize = 1024 * 1024;
