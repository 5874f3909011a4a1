//! What a launcher is to do, as bytes in a sealed memory file.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use seccompiler::{BpfProgram, sock_filter};

use super::Level;
use super::description::{Access, Isolation, Kind, Layer, Network, Places, Rank};

/// The work of a launcher.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(super) isolation: Isolation,
    pub(super) places: Places,
    pub(super) filters: Vec<BpfProgram>,
    /// `None` if the steps are only to be tried.
    pub(super) program: Option<Program>,
    /// Whether the program outlives the engine: what is bound is then opened with the engine's rights, before the user changes.
    pub(super) is_lasting: bool,
    /// The program of the machine that carries packets between the network of the view and that of the machine.
    pub(super) way_out: Option<PathBuf>,
    /// The program of the machine that makes the view, if this process does not.
    pub(super) helper: Option<PathBuf>,
    /// Present for process 1 in a view that such a program has made.
    pub(super) inside: Option<Inside>,
    /// Whether the launcher is a [spare](super::spare) one, which waits for the plan of a program.
    pub(super) is_spare: bool,
}

/// The descriptors of process 1 in a view that another program has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inside {
    /// The pipe on which it reports.
    pub(super) status: u32,
    /// What is bound, in the order of the layers.
    pub(super) binds: Vec<u32>,
}

/// The program to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) argv: Vec<OsString>,
    /// `NAME=VALUE` each.
    pub(super) env: Vec<OsString>,
    pub(super) cwd: PathBuf,
    /// Whether descriptor 0 is a terminal, which is to be the program's.
    pub(super) has_terminal: bool,
}

impl Plan {
    pub(super) fn has_terminal(&self) -> bool {
        let program = self.program.as_ref();
        program.is_some_and(|program| program.has_terminal)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        let Isolation {
            level,
            root,
            layers,
            network,
            user,
            scratch_bytes,
        } = &self.isolation;
        to.number(match level {
            Level::None => 0,
            Level::Landlock => 1,
            Level::Namespaces => 2,
            Level::Bwrap => 3,
        });
        to.text(root);
        to.list(layers, |to, layer| {
            to.text(&layer.path);
            to.number(layer.rank as u64);
            match &layer.kind {
                Kind::Hidden => to.number(HIDDEN),
                Kind::Scratch => to.number(SCRATCH),
                Kind::Bind { source, access } => {
                    to.number(match access {
                        Access::Read => READ,
                        Access::Write => WRITE,
                    });
                    to.text(source);
                }
            }
        });
        to.number(match network {
            Network::None => 0,
            Network::User => 1,
            Network::Host => 2,
        });
        to.list(user, |to, (uid, gid)| {
            to.number((*uid).into());
            to.number((*gid).into());
        });
        to.number(*scratch_bytes);
        let Places {
            work_dir,
            home,
            temporary,
            state,
            sealed,
        } = &self.places;
        to.text(work_dir);
        to.list(home, Writer::text);
        to.text(temporary);
        to.list(state, Writer::text);
        to.list(sealed, Writer::text);
        to.list(&self.filters, |to, filter| {
            to.list(filter, |to, step| {
                for number in [step.code.into(), step.jt.into(), step.jf.into(), step.k] {
                    to.number(u64::from(number));
                }
            });
        });
        to.list(&self.program, |to, program| {
            to.text(&program.path);
            to.list(&program.argv, Writer::text);
            to.list(&program.env, Writer::text);
            to.text(&program.cwd);
            to.number(program.has_terminal.into());
        });
        to.number(self.is_lasting.into());
        to.list(&self.way_out, Writer::text);
        to.list(&self.helper, Writer::text);
        to.list(&self.inside, |to, inside| {
            to.number(inside.status.into());
            to.list(&inside.binds, |to, fd| to.number(u64::from(*fd)));
        });
        to.number(self.is_spare.into());
        to.bytes
    }

    /// Parses what [`encode`](Self::encode) returns. `None` for anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let isolation = Isolation {
            level: match from.number()? {
                0 => Level::None,
                1 => Level::Landlock,
                2 => Level::Namespaces,
                3 => Level::Bwrap,
                _ => return None,
            },
            root: from.path()?,
            layers: from.list(Reader::layer)?,
            network: match from.number()? {
                0 => Network::None,
                1 => Network::User,
                2 => Network::Host,
                _ => return None,
            },
            user: from.option(|from| {
                let mut id = || u32::try_from(from.number()?).ok();
                Some((id()?, id()?))
            })?,
            scratch_bytes: from.number()?,
        };
        let plan = Self {
            isolation,
            places: Places {
                work_dir: from.path()?,
                home: from.option(Reader::path)?,
                temporary: from.path()?,
                state: from.option(Reader::path)?,
                sealed: from.list(Reader::path)?,
            },
            filters: from.list(|from| from.list(Reader::instruction))?,
            program: from.option(|from| {
                Some(Program {
                    path: from.path()?,
                    argv: from.list(Reader::text)?,
                    env: from.list(Reader::text)?,
                    cwd: from.path()?,
                    has_terminal: from.number()? != 0,
                })
            })?,
            is_lasting: from.number()? != 0,
            way_out: from.option(Reader::path)?,
            helper: from.option(Reader::path)?,
            inside: from.option(|from| {
                Some(Inside {
                    status: u32::try_from(from.number()?).ok()?,
                    binds: from.list(|from| u32::try_from(from.number()?).ok())?,
                })
            })?,
            is_spare: from.number()? != 0,
        };
        from.0.is_empty().then_some(plan)
    }
}

/// Writes numbers as 8 bytes, and lists and texts after their length.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn number(&mut self, number: u64) {
        self.bytes.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &(impl AsRef<OsStr> + ?Sized)) {
        let text = text.as_ref().as_bytes();
        self.number(text.len() as u64);
        self.bytes.extend(text);
    }

    fn list<'a, T: 'a>(
        &mut self,
        items: impl IntoIterator<Item = &'a T>,
        mut write: impl FnMut(&mut Self, &'a T),
    ) {
        let items: Vec<_> = items.into_iter().collect();
        self.number(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<OsString> {
        let length = self.length()?;
        Some(OsString::from_vec(self.take(length)?.to_owned()))
    }

    fn path(&mut self) -> Option<PathBuf> {
        self.text().map(PathBuf::from)
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        // Not with a capacity: the length may be wrong.
        let mut items = Vec::new();
        for _ in 0..self.length()? {
            items.push(read(self)?);
        }
        Some(items)
    }

    fn option<T>(&mut self, read: impl FnMut(&mut Self) -> Option<T>) -> Option<Option<T>> {
        let mut items = self.list(read)?;
        match items.len() {
            0 | 1 => Some(items.pop()),
            _ => None,
        }
    }

    fn layer(&mut self) -> Option<Layer> {
        let path = self.path()?;
        let rank = match self.number()? {
            0 => Rank::Private,
            1 => Rank::Own,
            2 => Rank::Asked,
            3 => Rank::WorkDir,
            4 => Rank::Default,
            _ => return None,
        };
        let kind = match self.number()? {
            HIDDEN => Kind::Hidden,
            SCRATCH => Kind::Scratch,
            access @ (READ | WRITE) => Kind::Bind {
                source: self.path()?,
                access: match access {
                    READ => Access::Read,
                    _ => Access::Write,
                },
            },
            _ => return None,
        };
        Some(Layer { path, kind, rank })
    }

    fn instruction(&mut self) -> Option<sock_filter> {
        Some(sock_filter {
            code: self.number()?.try_into().ok()?,
            jt: self.number()?.try_into().ok()?,
            jf: self.number()?.try_into().ok()?,
            k: self.number()?.try_into().ok()?,
        })
    }
}

const HIDDEN: u64 = 0;
const SCRATCH: u64 = 1;
const READ: u64 = 2;
const WRITE: u64 = 3;

#[cfg(test)]
mod tests {
    use super::super::filter;
    use super::*;

    fn plan() -> Plan {
        let isolation = Isolation::builder()
            .root_dir("/r")
            .bind("/a", Access::Write)
            .bind_at(OsString::from_vec(b"/\xff".into()), "/b", Access::Read)
            .scratch("/c")
            .hide("/d")
            .network(Network::Host)
            .run_as(7, u32::MAX - 1)
            .scratch_bytes(9);
        Plan {
            isolation: isolation.build().unwrap(),
            places: Places {
                work_dir: "/w".into(),
                home: Some("/h".into()),
                temporary: "/t".into(),
                state: Some("/s".into()),
                sealed: vec!["/k".into(), "/l".into()],
            },
            filters: filter::filters().unwrap(),
            program: Some(Program {
                path: "/bin/sh".into(),
                argv: vec!["sh".into(), "".into(), "-c".into()],
                env: vec!["A=b\nc".into()],
                cwd: "/".into(),
                has_terminal: true,
            }),
            is_lasting: true,
            way_out: Some("/usr/bin/out".into()),
            helper: Some("/usr/bin/helper".into()),
            inside: Some(Inside {
                status: 7,
                binds: vec![8, 9],
            }),
            is_spare: true,
        }
    }

    #[test]
    fn plans_travel_as_bytes() {
        let tried = Plan {
            isolation: Isolation {
                level: Level::Landlock,
                ..Isolation::strict()
            },
            places: Places::default(),
            program: None,
            way_out: None,
            helper: None,
            inside: None,
            ..plan()
        };
        for plan in [plan(), tried] {
            assert_eq!(Plan::decode(&plan.encode()), Some(plan));
        }
    }

    #[test]
    fn a_damaged_plan_is_none() {
        let bytes = plan().encode();
        for length in 0..bytes.len() {
            assert_eq!(Plan::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(Plan::decode(&[bytes.as_slice(), b"x"].concat()), None);
        assert_eq!(Plan::decode(&u64::MAX.to_le_bytes()), None);
    }
}
