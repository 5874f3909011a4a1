//! Whether one description allows no more than another.

use std::path::{Path, PathBuf};

use super::description::{Access, Isolation, Kind, Layer, Network, top};

/// What a description puts at a path, without what it does not name.
enum Seen {
    /// As the engine decides: the machine's, an empty directory, or the working directory.
    Default,
    Bound {
        source: PathBuf,
        access: Access,
    },
    Scratch,
    Hidden,
}

impl Isolation {
    /// Returns whether a process with this isolation can do nothing that one with `other` could not, whatever the engine's
    /// directories are: at no path it sees another file or may change what is read-only, it has no more network, and the same
    /// level, root and user.
    ///
    /// To leave out a bind of `other` is within it only where the bind made a directory writable at its own path. Anything else
    /// at that path is to be repeated or hidden: without it, the working directory could be writable again.
    pub fn is_within(&self, other: &Self) -> bool {
        let Self {
            level,
            root,
            layers,
            network,
            user,
            scratch_bytes,
        } = self;
        // Between these paths nothing changes, in neither description.
        let mut paths = layers.iter().chain(&other.layers).map(|layer| &layer.path);
        paths.all(|path| self.seen(path).is_at_most(&other.seen(path), path))
            && reach(*network) <= reach(other.network)
            && *level == other.level
            && *root == other.root
            && *user == other.user
            && *scratch_bytes <= other.scratch_bytes
    }

    /// Returns what the deepest layer at or above a path puts there.
    fn seen(&self, path: &Path) -> Seen {
        let Some(top) = top(self.layers.iter().map(Layer::placed), path) else {
            return Seen::Default;
        };
        match &top.kind {
            Kind::Bind { source, access } => Seen::Bound {
                source: source
                    .components()
                    .chain(path.components().skip(top.path.components().count()))
                    .collect(),
                access: *access,
            },
            Kind::Scratch => Seen::Scratch,
            Kind::Hidden => Seen::Hidden,
        }
    }
}

/// Returns how far a network reaches, compared to others.
fn reach(network: Network) -> u8 {
    match network {
        Network::None => 0,
        Network::User => 1,
        Network::Host => 2,
    }
}

impl Seen {
    /// Returns whether a process can do nothing with this at `path` that it could not with `other`.
    fn is_at_most(&self, other: &Self, path: &Path) -> bool {
        match (self, other) {
            (Self::Hidden, _) => true,
            (Self::Scratch, other) => !matches!(other, Self::Hidden),
            (Self::Default, Self::Default) => true,
            // The most that the engine decides is that the path is writable.
            (Self::Default, Self::Bound { source, access }) => {
                source == path && *access == Access::Write
            }
            (
                Self::Bound { source, access },
                Self::Bound {
                    source: of_other,
                    access: most,
                },
            ) => source == of_other && (*access == Access::Read || *most == Access::Write),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolation::IsolationBuilder;

    #[test]
    fn what_is_within_another_can_do_no_more() {
        let build = |it: IsolationBuilder| it.build().unwrap();
        let builder = Isolation::builder;
        let check = |inner: IsolationBuilder, outer: IsolationBuilder, expect: bool| {
            let (inner, outer) = (build(inner), build(outer));
            assert_eq!(inner.is_within(&outer), expect, "{inner:?} {outer:?}");
        };
        let write = || builder().bind("/a", Access::Write);
        check(builder(), builder(), true);
        check(builder().hide("/a").scratch("/b"), builder(), true);
        check(builder().hide("/a"), builder().scratch("/a"), true);
        check(builder().scratch("/a"), builder().hide("/a"), false);
        check(builder(), write().network(Network::Host), true);
        check(write().hide("/a/b"), write(), true);
        check(write(), builder(), false);
        check(builder().bind("/a", Access::Read), builder(), false);
        check(builder().bind_at("/b", "/a", Access::Write), write(), false);
        check(builder().network(Network::Host), builder(), false);
        let user = || builder().network(Network::User);
        check(user(), builder().network(Network::Host), true);
        check(user(), builder(), false);
        check(builder().network(Network::Host), user(), false);
        check(builder(), builder().hide("/a"), false);
        check(builder().run_as(0, 0), builder(), false);
        check(builder().root_dir("/r"), builder(), false);
        check(builder().scratch_bytes(u64::MAX), builder(), false);

        // What another leaves out takes effect again: that a directory is read-only, and what is below a bind.
        let read = || builder().bind("/a", Access::Read);
        check(builder(), read(), false);
        check(builder().hide("/a"), read(), true);
        check(builder().scratch("/a"), read(), true);
        let partly = || write().bind("/a/b", Access::Read);
        check(write(), partly(), false);
        check(write().hide("/a/b"), partly(), true);
        check(
            builder(),
            builder().bind_at("/b", "/a", Access::Write),
            false,
        );
        check(partly(), write(), true);
    }
}
