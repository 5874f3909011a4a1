//! Descriptions of isolations and limits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::isolation::{
    Access, Isolation, IsolationBuilder, Kind, Layer, Level, Network, Places, merged,
};
use crate::resources::{Limit, Limits};

/// Checks that no combination of the parts of an isolation takes back what one of them promises, and that one which is within
/// another shows and allows nothing more.
///
/// The input is two descriptions, each a sequence of operations of two bytes and their paths.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn isolations(input: &[u8]) {
    let half = input.len() / 2;
    let [one, other] = [&input[..half], &input[half..]].map(|text| described(text).build());
    let all: Vec<_> = paths().collect();
    for places in places() {
        for isolation in [&one, &other].into_iter().flatten() {
            let Some(layers) = layers(isolation, &places) else {
                continue;
            };
            for path in &all {
                check_promises(isolation, &layers, &places, path);
            }
        }
    }
    let (Ok(one), Ok(other)) = (one, other) else {
        return;
    };
    assert!(one.is_within(&one) && other.is_within(&other));
    for (inner, outer) in [(&one, &other), (&other, &one)] {
        if !inner.is_within(outer) {
            continue;
        }
        let reaches = [Network::None, Network::User, Network::Host];
        let reach = |of: &Isolation| reaches.iter().position(|network| *network == of.network);
        assert!(reach(inner) <= reach(outer));
        assert_eq!(inner.level, outer.level);
        for places in places() {
            let (Some(inside), Some(outside)) = (layers(inner, &places), layers(outer, &places))
            else {
                continue;
            };
            for path in &all {
                let (mine, its) = (view(&inside, path), view(&outside, path));
                assert!(mine.is_at_most(&its), "{mine:?} and {its:?} at {path:?}");
            }
        }
    }
}

/// What a process sees at a path.
#[derive(Debug, PartialEq, Eq)]
enum View {
    Machine { path: PathBuf, access: Access },
    Scratch,
    Hidden,
}

impl View {
    fn is_at_most(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Hidden, _) => true,
            (Self::Scratch, other) => *other != Self::Hidden,
            (
                Self::Machine { path, access },
                Self::Machine {
                    path: its,
                    access: most,
                },
            ) => path == its && (access == most || *access == Access::Read),
            (Self::Machine { .. }, _) => false,
        }
    }
}

/// Checks what a view shows at a path against what was promised about the machine's.
fn check_promises(isolation: &Isolation, layers: &[Layer], places: &Places, path: &Path) {
    let View::Machine {
        path: machine,
        access,
    } = view(layers, path)
    else {
        return;
    };
    let top = top(layers, path);
    let source = top.map(|layer| match &layer.kind {
        Kind::Bind { source, .. } => source.as_path(),
        Kind::Scratch | Kind::Hidden => unreachable!("it shows a file"),
    });
    // A bind of what is in a hidden directory shows that part; nothing else shows it.
    let shows = |hidden: &Path| {
        machine.starts_with(hidden)
            && source.is_none_or(|source| !source.starts_with(hidden) || source == hidden)
    };
    for layer in &isolation.layers {
        match &layer.kind {
            Kind::Hidden => assert!(!shows(&layer.path), "{path:?} shows {:?}", layer.path),
            Kind::Bind {
                source: own,
                access: Access::Read,
            } if *own == layer.path => {
                let is_inner =
                    source.is_some_and(|source| source.starts_with(own) && source != own);
                let is_it = machine.starts_with(own) && !is_inner;
                assert!(
                    !is_it || access == Access::Read,
                    "{path:?} may change {own:?}"
                );
            }
            Kind::Bind { .. } | Kind::Scratch => {}
        }
    }
    for private in places.private() {
        assert!(!shows(private), "{path:?} shows {private:?}");
    }
    for sealed in &places.sealed {
        assert!(!machine.starts_with(sealed), "{path:?} shows {sealed:?}");
    }
}

fn top<'a>(layers: &'a [Layer], path: &Path) -> Option<&'a Layer> {
    let above = layers.iter().filter(|layer| path.starts_with(&layer.path));
    above.max_by_key(|layer| layer.path.as_os_str().len())
}

fn view(layers: &[Layer], path: &Path) -> View {
    let machine = |path: PathBuf, access| View::Machine { path, access };
    let Some(layer) = top(layers, path) else {
        return machine(path.to_owned(), Access::Read);
    };
    match &layer.kind {
        Kind::Hidden => View::Hidden,
        Kind::Scratch => View::Scratch,
        Kind::Bind { source, access } => {
            let rest = path.strip_prefix(&layer.path).unwrap_or(path);
            machine(
                source.components().chain(rest.components()).collect(),
                *access,
            )
        }
    }
}

/// Returns the layers of a process, or `None` if it is refused.
fn layers(isolation: &Isolation, places: &Places) -> Option<Vec<Layer>> {
    let all = isolation.all_layers(places);
    merged(all, &isolation.root, Some(places)).ok()
}

/// Reads a description: an operation, a path, and a second path where one is needed.
fn described(mut text: &[u8]) -> IsolationBuilder {
    let mut builder = Isolation::builder();
    while let [operation, one, two, rest @ ..] = text {
        let (path, source) = (path_of(*one), path_of(*two));
        let access = match two % 2 {
            0 => Access::Read,
            _ => Access::Write,
        };
        builder = match operation % 16 {
            0..=3 => builder.bind(path, access),
            4..=6 => builder.bind_at(source, path, access),
            7..=9 => builder.hide(path),
            10..=11 => builder.scratch(path),
            12 => match one % 5 {
                0 => builder.network(Network::Host),
                1 => builder.network(Network::User),
                2 => builder.level(Level::Landlock),
                3 => builder.level(Level::Bwrap),
                _ => builder.level(Level::Namespaces),
            },
            13 => builder.scratch_bytes(u64::from(*one)),
            14 => builder.run_as(u32::MAX - u32::from(one % 2), (*two).into()),
            _ => builder.hide(format!("/{}", String::from_utf8_lossy(rest))),
        };
        text = rest;
    }
    builder
}

/// Returns one of a few paths, which are often within each other.
fn path_of(byte: u8) -> PathBuf {
    let name = |shift: u8| ["", "a", "b", "c"][usize::from(byte >> shift & 3)];
    let names = [name(1), name(3), name(5)];
    let names = names.iter().take_while(|name| !name.is_empty());
    Path::new("/").join(names.collect::<PathBuf>())
}

/// Returns all such paths, and one below each.
fn paths() -> impl Iterator<Item = PathBuf> {
    let paths: BTreeSet<_> = (0..=u8::MAX).step_by(2).map(path_of).collect();
    let paths = paths.into_iter();
    paths.flat_map(|path| [path.join("x"), path])
}

/// Returns places of engines: the working directory in and beside those of [`paths`].
fn places() -> impl Iterator<Item = Places> {
    let work_dirs = ["/w", "/a", "/a/b", "/b/c/a", "/c/x"];
    work_dirs.into_iter().map(|work_dir| Places {
        work_dir: work_dir.into(),
        home: Some("/b/a".into()),
        temporary: "/t".into(),
        state: Some("/c/b".into()),
        sealed: vec!["/b/b/b".into()],
    })
}

/// Checks that limits are within those of an engine only if none is raised, left out or too small.
///
/// The input is the engine's limits and a run's: for each a byte that says what is limited, and then the values.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn limits(input: &[u8]) {
    let (most, rest) = limits_of(input);
    let (asked, _) = limits_of(rest);
    let Ok(within) = asked.within(&most) else {
        let is_refused = |limit: Limit| {
            let too_much = |value| most.get(limit).is_some_and(|most| value > most);
            let alone = |value| {
                Limits::default()
                    .set(limit, value)
                    .within(&Limits::default())
            };
            asked
                .get(limit)
                .is_some_and(|value| too_much(value) || alone(value).is_err())
        };
        assert!(
            Limit::ALL.into_iter().any(is_refused),
            "{asked:?} within {most:?}"
        );
        return;
    };
    for limit in Limit::ALL {
        let (found, most) = (within.get(limit), most.get(limit));
        assert_eq!(found, asked.get(limit).or(most), "{limit}");
        assert!(
            most.is_none_or(|most| found.is_some_and(|found| found <= most)),
            "{limit}"
        );
    }
}

fn limits_of(input: &[u8]) -> (Limits, &[u8]) {
    let (set, mut rest) = input.split_first().unwrap_or((&0, &[]));
    let mut limits = Limits::default();
    for (bit, limit) in Limit::ALL.into_iter().enumerate() {
        if set >> bit & 1 == 1
            && let Some((value, after)) = rest.split_first_chunk()
        {
            // Small numbers, and those around powers of two.
            let [shift, low] = *value;
            limits = limits.set(
                limit,
                (u64::from(low) << (shift % 64)).wrapping_sub(u64::from(shift >> 7)),
            );
            rest = after;
        }
    }
    (limits, rest)
}

impl Limits {
    fn set(mut self, limit: Limit, value: u64) -> Self {
        let small = u32::try_from(value).unwrap_or(u32::MAX);
        match limit {
            Limit::Memory => self.memory_bytes = Some(value),
            Limit::Processes => self.processes = Some(small),
            Limit::Cpus => self.millicpus = Some(small),
            Limit::FileSize => self.file_bytes = Some(value),
            Limit::OpenFiles => self.open_files = Some(small),
        }
        self
    }
}
