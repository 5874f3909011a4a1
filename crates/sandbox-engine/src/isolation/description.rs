//! The description of an isolated process's view of the machine.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use super::Level;
use super::check::{self, InvalidIsolation};
use crate::limits::ISOLATED_SCRATCH_BYTES;

/// A validated description of what an isolated process sees, may change and may reach.
///
/// The default ([`strict`](Self::strict)): the machine's files are read-only; `/tmp`, `/var/tmp`, `/run` and all home
/// directories are empty directories of the process's own; the engine's working directory is writable; there is no network
/// but a loopback interface; only the process's own processes and a few harmless devices exist.
///
/// Setuid programs and device files have no effect anywhere. All processes end with the program: none stays in the background.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Isolation {
    pub(crate) level: Level,
    pub(crate) root: PathBuf,
    pub(crate) layers: Vec<Layer>,
    pub(crate) network: Network,
    pub(crate) user: Option<(u32, u32)>,
    pub(crate) scratch_bytes: u64,
}

/// What a bind allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Reading and executing.
    Read,
    /// Changes, too, as far as the user may make them.
    Write,
}

/// The network of an isolated process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Network {
    /// A loopback interface of its own and nothing else.
    #[default]
    None,
    /// A network of its own with a way out: other machines are reached, and addresses of this machine that are not those of its
    /// loopback interface. Needs the program slirp4netns, which translates connections into those of a process with the user
    /// of the engine, and the device `/dev/net/tun`. Names are resolved by the resolver of the machine.
    User,
    /// The network of the machine: its interfaces, services on its loopback interface, and its abstract Unix sockets.
    Host,
}

/// One change of the view at one path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Layer {
    /// The path in the view.
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) rank: Rank,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A file or directory of the machine.
    Bind { source: PathBuf, access: Access },
    /// An empty writable directory in memory.
    Scratch,
    /// Nothing: an empty read-only directory, or a file that cannot be opened.
    Hidden,
}

/// Which of two layers at one path applies: the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rank {
    /// What protects the engine, whatever was asked for.
    Private,
    /// What the engine itself shows of its own: the text of a program, the pipes of a session.
    Own,
    Asked,
    WorkDir,
    Default,
}

/// The directories of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Places {
    pub(crate) work_dir: PathBuf,
    /// The directory of the user's own files.
    pub(crate) home: Option<PathBuf>,
    /// The directory for temporary files. The pipes of sessions are there: what is written to one, a shell of the engine executes.
    pub(crate) temporary: PathBuf,
    /// The state directory, if it is the engine's alone.
    pub(crate) state: Option<PathBuf>,
    /// Files and directories of the host program. They are hidden, and no bind shows anything of them.
    pub(crate) sealed: Vec<PathBuf>,
}

impl Places {
    /// Returns the places of an engine, with the paths to which links lead now.
    pub(crate) fn of(
        work_dir: PathBuf,
        temporary: &Path,
        state: Option<&Path>,
        sealed: &[PathBuf],
    ) -> Self {
        // What is created later is resolved by the launcher, and refused there if its path is not plain.
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
        let home = std::env::var_os("HOME").map(PathBuf::from);
        Self {
            work_dir,
            home: home.filter(|home| home.is_absolute() && home.parent().is_some()),
            temporary: real(temporary),
            state: state.map(real),
            sealed: sealed.iter().map(|path| real(path)).collect(),
        }
    }

    /// Returns the machine's paths that no isolated process may reach.
    pub(crate) fn private(&self) -> impl Iterator<Item = &Path> {
        let own = self.own();
        own.chain(self.sealed.iter().map(PathBuf::as_path))
    }

    /// Returns the engine's own directories, of which binds may show a part.
    fn own(&self) -> impl Iterator<Item = &Path> {
        let state = self.state.as_deref();
        state.into_iter().chain([self.temporary.as_path()])
    }
}

impl Isolation {
    /// Returns the strictest description that leaves the working directory usable, as the type describes it.
    pub fn strict() -> Self {
        Self {
            level: Level::Namespaces,
            root: "/".into(),
            layers: Vec::new(),
            network: Network::None,
            user: None,
            scratch_bytes: ISOLATED_SCRATCH_BYTES,
        }
    }

    /// Returns a builder that starts with [`strict`](Self::strict).
    pub fn builder() -> IsolationBuilder {
        IsolationBuilder {
            isolation: Self::strict(),
        }
    }

    /// Returns the level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Returns the network.
    pub fn network(&self) -> Network {
        self.network
    }

    pub(crate) fn has_root_dir(&self) -> bool {
        self.root != Path::new("/")
    }

    pub(crate) fn has_user(&self) -> bool {
        self.user.is_some()
    }

    /// Returns all layers of a process of an engine with these places.
    pub(crate) fn all_layers(&self, places: &Places) -> Vec<Layer> {
        let work_dir = &places.work_dir;
        let mut layers = self.layers.clone();
        // What was asked for decides about the working directory, too.
        if !layers.iter().any(|layer| work_dir.starts_with(&layer.path)) {
            layers.push(Layer {
                path: work_dir.clone(),
                kind: Kind::Bind {
                    source: work_dir.clone(),
                    access: Access::Write,
                },
                rank: Rank::WorkDir,
            });
        }
        let own = places.own().map(|path| (path, Kind::Scratch));
        let sealed = places.sealed.iter();
        let sealed = sealed.map(|path| (path.as_path(), Kind::Hidden));
        for (path, kind) in own.chain(sealed) {
            // Where the root of the view shows it.
            if let Ok(path) = path.strip_prefix(&self.root) {
                layers.push(Layer {
                    path: Path::new("/").join(path),
                    kind,
                    rank: Rank::Private,
                });
            }
        }
        let default = |path: &Path, kind| Layer {
            path: path.to_owned(),
            kind,
            rank: Rank::Default,
        };
        let scratch = SCRATCH.iter().map(Path::new).chain(places.home.as_deref());
        layers.extend(scratch.map(|path| default(path, Kind::Scratch)));
        layers.extend(
            HIDDEN
                .iter()
                .map(|path| default(path.as_ref(), Kind::Hidden)),
        );
        layers
    }
}

impl Layer {
    /// Returns the layer with its path.
    pub(super) fn placed(&self) -> (&Path, &Self) {
        (&self.path, self)
    }
}

/// Returns which of these layers, each with its place, decides what is at `path`: the deepest at or above it, and of two at one
/// place the first by rank.
pub(super) fn top<'a>(
    placed: impl Iterator<Item = (&'a Path, &'a Layer)>,
    path: &Path,
) -> Option<&'a Layer> {
    let above = placed.filter(|(place, _)| path.starts_with(place));
    let top = above.min_by_key(|(place, layer)| (Reverse(place.components().count()), layer.rank));
    top.map(|(_, layer)| layer)
}

/// Returns whether a view with these layers has at `path` what the machine has there.
///
/// Makes calls on the paths, which may block.
pub(crate) fn shows(layers: &[Layer], path: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let layers = layers.iter().map(|layer| (real(&layer.path), layer));
    let layers: Vec<_> = layers.collect();
    [path, &real(path)].into_iter().all(|path| {
        let placed = layers
            .iter()
            .map(|(place, layer)| (place.as_path(), *layer));
        top(placed, path).is_none_or(|layer| match &layer.kind {
            Kind::Bind { source, .. } => layer.path == *source,
            Kind::Scratch | Kind::Hidden => false,
        })
    })
}

impl Default for Isolation {
    fn default() -> Self {
        Self::strict()
    }
}

/// Builds an [`Isolation`]. Paths are absolute, without `.` and `..`; those of the machine (the root and what is bound) lead
/// through no symbolic links when a process starts.
#[derive(Debug, Clone)]
#[must_use]
pub struct IsolationBuilder {
    isolation: Isolation,
}

impl IsolationBuilder {
    /// Sets the level; [`Level::Namespaces`] by default. [`Level::Landlock`] has neither another root, nor binds at other paths,
    /// nor scratch directories, nor a network of its own, and hides no parts of `/proc`. [`Level::Bwrap`] has neither another root, nor binds
    /// at other paths, nor a network with a way out.
    pub fn level(mut self, level: Level) -> Self {
        self.isolation.level = level;
        self
    }

    /// Uses a directory of the machine as the root of the view, read-only, instead of the machine's root. It needs the
    /// directories `/proc` and `/dev`.
    pub fn root_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.isolation.root = directory.into();
        self
    }

    /// Shows a file or directory of the machine at its own path, where it would otherwise be read-only or hidden.
    pub fn bind(self, path: impl Into<PathBuf>, access: Access) -> Self {
        let path = path.into();
        self.bind_at(path.clone(), path, access)
    }

    /// Shows a file or directory of the machine at another path.
    pub fn bind_at(
        self,
        source: impl Into<PathBuf>,
        path: impl Into<PathBuf>,
        access: Access,
    ) -> Self {
        let source = source.into();
        self.layer(path.into(), Kind::Bind { source, access })
    }

    /// Puts an empty writable directory at `path`, in memory, which is discarded with the process.
    pub fn scratch(self, path: impl Into<PathBuf>) -> Self {
        self.layer(path.into(), Kind::Scratch)
    }

    /// Hides a file or directory, also one that a bind shows. A path that does not exist hides nothing. A run is refused if the
    /// path leads through a link that only a bind shows, to what would be visible.
    pub fn hide(self, path: impl Into<PathBuf>) -> Self {
        self.layer(path.into(), Kind::Hidden)
    }

    /// Sets the network; [`Network::None`] by default.
    pub fn network(mut self, network: Network) -> Self {
        self.isolation.network = network;
        self
    }

    /// Sets the user and group whose rights the processes have; the engine's own by default. Only an engine that runs as
    /// root can start such a process. The working directory is writable only where that user may write.
    pub fn run_as(mut self, uid: u32, gid: u32) -> Self {
        self.isolation.user = Some((uid, gid));
        self
    }

    /// Sets the size of each scratch directory; [`ISOLATED_SCRATCH_BYTES`] by default.
    pub fn scratch_bytes(mut self, bytes: u64) -> Self {
        self.isolation.scratch_bytes = bytes;
        self
    }

    /// Returns the description.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidIsolation`] for a path that is not plain, and for parts of which one would take back what another
    /// promises.
    pub fn build(self) -> Result<Isolation, InvalidIsolation> {
        let isolation = self.isolation;
        check::plain(&isolation.root)?;
        check::sizes(&isolation)?;
        check::possible(&isolation)?;
        check::merged(isolation.layers.clone(), &isolation.root, None)?;
        Ok(isolation)
    }

    fn layer(mut self, path: PathBuf, kind: Kind) -> Self {
        self.isolation.layers.push(Layer {
            path,
            kind,
            rank: Rank::Asked,
        });
        self
    }
}

/// The scratch directories that every view has where the paths exist.
const SCRATCH: [&str; 6] = ["/tmp", "/var/tmp", "/run", "/var/run", "/home", "/root"];

/// What every view hides: parts of the kernel's file systems that describe or steer the whole machine.
const HIDDEN: [&str; 11] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/scsi",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/sys/firmware",
    "/sys/kernel/debug",
    "/sys/kernel/security",
    "/sys/kernel/tracing",
];
