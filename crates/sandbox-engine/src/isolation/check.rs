//! Which descriptions are refused: those of which one part would silently take back what another promises.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use super::Level;
use super::description::{Access, Isolation, Kind, Layer, Network, Places, Rank};
use crate::limits::ISOLATION_LAYERS;

/// An error for a description that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidIsolation {
    /// A path is relative, or has `.`, `..` or a NUL byte.
    #[error("{} is not a plain absolute path", path.display())]
    NotPlain {
        /// The path.
        path: PathBuf,
    },
    /// The path is the root, or a part of `/proc`, `/sys` or `/dev`, which every view has its own of.
    #[error("{} cannot be bound or replaced", path.display())]
    Reserved {
        /// The path.
        path: PathBuf,
    },
    /// Two different things are to be at one path.
    #[error("two different things are to be at {}", path.display())]
    Conflict {
        /// The path.
        path: PathBuf,
    },
    /// A bind shows what is hidden, or lets what is read-only be changed, at another path.
    #[error("{} would be accessible at {}", protected.display(), path.display())]
    Exposed {
        /// The path on the machine of what is hidden or read-only.
        protected: PathBuf,
        /// The path at which it would be accessible.
        path: PathBuf,
    },
    /// The description has more than [`ISOLATION_LAYERS`] binds, scratch directories and hidden paths.
    #[error("more than {ISOLATION_LAYERS} binds, scratch directories and hidden paths")]
    TooMany,
    /// A scratch directory of no bytes would have no limit.
    #[error("a scratch directory needs at least one byte")]
    NoScratch,
    /// The level cannot give what was asked for.
    #[error("the level `{level}` has no {what}")]
    Impossible {
        /// The level.
        level: Level,
        /// What was asked for.
        what: &'static str,
    },
    /// The number means that a user or group is not to be changed.
    #[error("{id} is not the id of a user or group")]
    NotAnId {
        /// The number.
        id: u32,
    },
}

/// Checks a path for being absolute and without detours.
pub(super) fn plain(path: &Path) -> Result<(), InvalidIsolation> {
    let is_plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let bytes = path.as_os_str().as_bytes();
    // `components` drops `.` silently.
    let has_dot = bytes.split(|byte| *byte == b'/').any(|part| part == b".");
    if path.is_absolute() && !has_dot && !bytes.contains(&0) && path.components().all(is_plain) {
        Ok(())
    } else {
        Err(InvalidIsolation::NotPlain { path: path.into() })
    }
}

/// Checks the numbers of a description.
pub(super) fn sizes(isolation: &Isolation) -> Result<(), InvalidIsolation> {
    if isolation.layers.len() > ISOLATION_LAYERS {
        return Err(InvalidIsolation::TooMany);
    }
    // To the kernel a size of 0 means that there is no limit.
    if isolation.scratch_bytes == 0 {
        return Err(InvalidIsolation::NoScratch);
    }
    // To the kernel this one is "as it is": the process would run as the engine's user or group.
    let id = u32::MAX;
    if isolation
        .user
        .is_some_and(|(user, group)| user == id || group == id)
    {
        return Err(InvalidIsolation::NotAnId { id });
    }
    Ok(())
}

/// Checks that the level can give what was asked for.
pub(super) fn possible(isolation: &Isolation) -> Result<(), InvalidIsolation> {
    let level = isolation.level;
    let impossible = |what| Err(InvalidIsolation::Impossible { level, what });
    match level {
        Level::Namespaces => return Ok(()),
        Level::None => return impossible("isolation"),
        Level::Landlock | Level::Bwrap => {}
    }
    if isolation.has_root_dir() {
        return impossible("root directory");
    }
    if isolation.network == Network::User {
        return impossible("network of its own");
    }
    for layer in &isolation.layers {
        match &layer.kind {
            Kind::Bind { source, .. } if *source != layer.path => {
                return impossible("binds at other paths");
            }
            Kind::Scratch if level == Level::Landlock => {
                return impossible("scratch directories");
            }
            Kind::Hidden if level == Level::Landlock && layer.path.starts_with("/proc") => {
                return impossible("view of /proc");
            }
            Kind::Bind { .. } | Kind::Hidden | Kind::Scratch => {}
        }
    }
    Ok(())
}

/// Returns the layers in the order in which they are applied, one for each path; `root` is the machine's directory that is the
/// root of the view, and `places` are the engine's, unless they are not known yet.
///
/// # Errors
///
/// Returns [`InvalidIsolation`] for layers that are refused.
pub(crate) fn merged(
    layers: Vec<Layer>,
    root: &Path,
    places: Option<&Places>,
) -> Result<Vec<Layer>, InvalidIsolation> {
    for layer in &layers {
        plain(&layer.path)?;
        allowed(layer)?;
    }
    let private: Vec<_> = places.into_iter().flat_map(Places::private).collect();
    for path in &private {
        plain(path)?;
    }
    if let Some(places) = places {
        sealed(&layers, places)?;
    }
    let mut sorted = layers;
    // A directory before what is in it, so that the deeper layer is on top.
    sorted.sort_by(|a, b| (&a.path, a.rank).cmp(&(&b.path, b.rank)));
    let mut merged: Vec<Layer> = Vec::with_capacity(sorted.len());
    for layer in sorted {
        match merged.last() {
            Some(last) if last.path == layer.path => {
                let is_promised = layer.rank == Rank::Asked
                    || last.rank == Rank::Private && layer.rank == Rank::WorkDir;
                if is_promised && last.kind != layer.kind {
                    return Err(InvalidIsolation::Conflict { path: layer.path });
                }
            }
            _ => merged.push(layer),
        }
    }
    exposed(&merged, root, private)?;
    Ok(merged)
}

fn allowed(layer: &Layer) -> Result<(), InvalidIsolation> {
    let reserved = |path: &Path| {
        let is_reserved =
            path == Path::new("/") || RESERVED.iter().any(|top| path.starts_with(top));
        if is_reserved {
            Err(InvalidIsolation::Reserved { path: path.into() })
        } else {
            Ok(())
        }
    };
    match &layer.kind {
        Kind::Bind { source, .. } => {
            plain(source)?;
            reserved(source)?;
            reserved(&layer.path)
        }
        Kind::Scratch => reserved(&layer.path),
        Kind::Hidden if layer.path == Path::new("/") => reserved(&layer.path),
        Kind::Hidden => Ok(()),
    }
}

/// Checks that no bind that was asked for shows a part of what is sealed.
fn sealed(layers: &[Layer], places: &Places) -> Result<(), InvalidIsolation> {
    for layer in layers.iter().filter(|layer| layer.rank == Rank::Asked) {
        let Kind::Bind { source, .. } = &layer.kind else {
            continue;
        };
        if let Some(protected) = places.sealed.iter().find(|path| source.starts_with(path)) {
            return Err(InvalidIsolation::Exposed {
                protected: protected.clone(),
                path: layer.path.clone(),
            });
        }
    }
    Ok(())
}

/// Checks that no bind shows elsewhere what is private or hidden, or makes writable elsewhere what a layer makes read-only.
fn exposed<'a>(
    layers: &[Layer],
    root: &Path,
    private: impl IntoIterator<Item = &'a Path>,
) -> Result<(), InvalidIsolation> {
    let asked = layers.iter().filter(|layer| layer.rank == Rank::Asked);
    let asked = asked.filter_map(|layer| match &layer.kind {
        Kind::Hidden => Some((on_machine(&layer.path, root), Access::Read)),
        // At another path it promises nothing about its own.
        Kind::Bind { source, access } if *access == Access::Read && *source == layer.path => {
            Some((source.clone(), Access::Write))
        }
        Kind::Bind { .. } | Kind::Scratch => None,
    });
    let private = private.into_iter();
    let private = private.map(|path| (path.to_owned(), Access::Read));
    for (protected, weakest) in asked.chain(private) {
        for bind in layers {
            let Kind::Bind { source, access } = &bind.kind else {
                continue;
            };
            let Ok(rest) = protected.strip_prefix(source) else {
                continue;
            };
            let is_weaker = weakest == Access::Read || *access == Access::Write;
            let path = joined(&bind.path, rest);
            if is_weaker && !is_covered(layers, bind, &path, weakest) {
                return Err(InvalidIsolation::Exposed { protected, path });
            }
        }
    }
    Ok(())
}

/// Returns whether a layer on top of `bind` protects what the bind shows at `path`.
fn is_covered(layers: &[Layer], bind: &Layer, path: &Path, weakest: Access) -> bool {
    layers.iter().any(|cover| {
        let is_on_top = cover.path != bind.path && cover.path.starts_with(&bind.path);
        let protects = match &cover.kind {
            Kind::Hidden | Kind::Scratch => true,
            Kind::Bind { access, .. } => weakest == Access::Write && *access == Access::Read,
        };
        is_on_top && protects && path.starts_with(&cover.path)
    })
}

/// Returns the machine's path of a path in the view.
fn on_machine(path: &Path, root: &Path) -> PathBuf {
    joined(root, path.strip_prefix("/").unwrap_or(path))
}

/// Joins paths; `join` alone would end in a slash for an empty one.
fn joined(path: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() {
        path.to_owned()
    } else {
        path.join(rest)
    }
}

/// The file systems that every view has its own of, or has read-only.
const RESERVED: [&str; 3] = ["/proc", "/sys", "/dev"];

#[cfg(test)]
mod tests {
    use super::super::description::IsolationBuilder;
    use super::*;

    fn check(
        describe: impl FnOnce(IsolationBuilder) -> IsolationBuilder,
        expect: Result<(), InvalidIsolation>,
    ) {
        let built = describe(Isolation::builder()).build().map(drop);
        assert_eq!(built, expect);
    }

    #[test]
    fn parts_that_agree_are_accepted() {
        use Access::{Read, Write};
        check(|it| it, Ok(()));
        check(|it| it.bind("/a", Write).hide("/a/b"), Ok(()));
        check(|it| it.bind("/a", Write).bind("/a/b", Read), Ok(()));
        check(|it| it.hide("/a").bind("/a/b", Read), Ok(()));
        check(|it| it.hide("/a").hide("/a"), Ok(()));
        check(|it| it.bind_at("/a", "/b", Read).bind("/a", Read), Ok(()));
        check(|it| it.bind_at("/a", "/b", Read).hide("/b/c"), Ok(()));
        check(
            |it| it.bind("/a", Write).bind_at("/a/b", "/c", Read),
            Ok(()),
        );
        check(|it| it.hide("/sys").hide("/proc/cpuinfo"), Ok(()));
        check(|it| it.root_dir("/r").hide("/a").bind("/a/b", Read), Ok(()));
        // Another part of the same name.
        check(|it| it.hide("/ab").bind("/a", Write), Ok(()));
    }

    #[test]
    fn no_part_takes_back_what_another_promises() {
        use Access::{Read, Write};
        let exposed = |protected: &str, path: &str| {
            Err(InvalidIsolation::Exposed {
                protected: protected.into(),
                path: path.into(),
            })
        };
        let conflict = |path: &str| Err(InvalidIsolation::Conflict { path: path.into() });
        check(|it| it.hide("/a").bind("/a", Read), conflict("/a"));
        check(|it| it.scratch("/a").bind("/a", Read), conflict("/a"));
        check(|it| it.bind("/a", Read).bind("/a", Write), conflict("/a"));
        let hidden = |it: IsolationBuilder| it.hide("/a/b");
        check(
            |it| hidden(it).bind_at("/a", "/c", Read),
            exposed("/a/b", "/c/b"),
        );
        check(
            |it| hidden(it).bind_at("/a/b", "/c", Read),
            exposed("/a/b", "/c"),
        );
        check(
            |it| it.bind("/a", Read).bind_at("/a", "/c", Write),
            exposed("/a", "/c"),
        );
        check(
            |it| it.bind("/a/b", Read).bind_at("/a", "/c", Write),
            exposed("/a/b", "/c/b"),
        );
        check(
            |it| it.root_dir("/r").hide("/a").bind_at("/r", "/c", Read),
            exposed("/r/a", "/c/a"),
        );
    }

    #[test]
    fn paths_are_plain_and_spare_the_kernels_file_systems() {
        for path in ["", "a", "./a", "/a/../b", "/a/./b", "/a\0b"] {
            let path = PathBuf::from(path);
            let expect = || Err(InvalidIsolation::NotPlain { path: path.clone() });
            check(|it| it.hide(&path), expect());
            check(|it| it.scratch(&path), expect());
            check(|it| it.bind(&path, Access::Read), expect());
            check(|it| it.root_dir(&path), expect());
        }
        for path in ["/", "/proc", "/proc/self", "/sys/fs", "/dev", "/dev/kvm"] {
            let path = PathBuf::from(path);
            let expect = || Err(InvalidIsolation::Reserved { path: path.clone() });
            check(|it| it.scratch(&path), expect());
            check(|it| it.bind(&path, Access::Read), expect());
            check(|it| it.bind_at(&path, "/a", Access::Read), expect());
            check(|it| it.bind_at("/a", &path, Access::Read), expect());
        }
    }

    #[test]
    fn descriptions_are_bounded() {
        let many = |count: usize| {
            let paths = (0..count).map(|number| format!("/a/{number}"));
            paths.fold(Isolation::builder(), IsolationBuilder::hide)
        };
        check(|_| many(ISOLATION_LAYERS), Ok(()));
        check(
            |_| many(ISOLATION_LAYERS + 1),
            Err(InvalidIsolation::TooMany),
        );
        check(|it| it.scratch_bytes(0), Err(InvalidIsolation::NoScratch));
    }

    #[test]
    fn no_number_leaves_the_user_as_it_is() {
        let last = u32::MAX - 1;
        check(|it| it.run_as(0, last), Ok(()));
        check(|it| it.run_as(last, 0), Ok(()));
        let id = u32::MAX;
        for (user, group) in [(id, 1), (1, id), (id, id)] {
            let expect = Err(InvalidIsolation::NotAnId { id });
            check(|it| it.run_as(user, group), expect);
        }
    }

    #[test]
    fn what_was_asked_for_decides_about_the_working_directory() {
        let places = |work_dir: &str| Places {
            work_dir: work_dir.into(),
            home: Some("/h".into()),
            temporary: "/t".into(),
            state: Some("/s".into()),
            sealed: vec!["/k".into()],
        };
        let all = |isolation: &Isolation, places: &Places| {
            merged(isolation.all_layers(places), &isolation.root, Some(places))
        };
        let at = |isolation: &Isolation, path: &str| {
            let merged = all(isolation, &places("/w/d")).unwrap();
            let layer = merged
                .into_iter()
                .find(|layer| layer.path == Path::new(path));
            layer.map(|layer| layer.rank)
        };
        let strict = Isolation::strict();
        assert_eq!(at(&strict, "/w/d"), Some(Rank::WorkDir));
        assert_eq!(at(&strict, "/h"), Some(Rank::Default));
        let builder = Isolation::builder;
        let asked = builder().bind("/w", Access::Read).build().unwrap();
        assert_eq!(at(&asked, "/w/d"), None);
        let wide = InvalidIsolation::Reserved { path: "/".into() };
        assert_eq!(all(&strict, &places("/")), Err(wide));

        // What is the engine's own stays out of reach.
        assert_eq!(at(&strict, "/t"), Some(Rank::Private));
        assert_eq!(at(&strict, "/s"), Some(Rank::Private));
        let conflict = |path: &str| Err(InvalidIsolation::Conflict { path: path.into() });
        assert_eq!(all(&strict, &places("/t")), conflict("/t"));
        let asked = builder().bind("/s", Access::Read).build().unwrap();
        assert_eq!(all(&asked, &places("/w")), conflict("/s"));
        for root in ["/", "/r"] {
            let asked = builder().root_dir(root).bind_at("/t", "/x", Access::Read);
            let exposed = InvalidIsolation::Exposed {
                protected: "/t".into(),
                path: "/x".into(),
            };
            let asked = asked.build().unwrap();
            assert_eq!(all(&asked, &places("/w")), Err(exposed), "{root}");
        }
        let below = builder().bind("/t/a", Access::Read).build().unwrap();
        assert_eq!(at(&below, "/t/a"), Some(Rank::Asked));
        // Of what is the host program's own not even a part is shown.
        assert_eq!(at(&strict, "/k"), Some(Rank::Private));
        for (source, path) in [("/k", "/x"), ("/k/a", "/k/a"), ("/k/a/b", "/x")] {
            let part = builder().bind_at(source, path, Access::Read);
            let exposed = InvalidIsolation::Exposed {
                protected: "/k".into(),
                path: path.into(),
            };
            let part = part.build().unwrap();
            assert_eq!(all(&part, &places("/w")), Err(exposed), "{source}");
        }
        // A place that cannot be compared with the root would be shown.
        for temporary in ["t", "/w/../t", ""] {
            let places = Places {
                temporary: temporary.into(),
                ..places("/w")
            };
            let path = temporary.into();
            let refused = Err(InvalidIsolation::NotPlain { path });
            assert_eq!(all(&strict, &places), refused);
        }
    }
}
