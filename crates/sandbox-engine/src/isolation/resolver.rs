//! Where names are resolved, for a run with the machine's network at a level that has no file of its own for that.

use std::fs;
use std::path::{Path, PathBuf};

use super::description::{Access, Isolation, Kind, Layer, Network, Places, Rank, top};
use super::{Level, stage};
use crate::offload::file_calls;

/// Returns the layer that shows the file to which `/etc/resolv.conf` leads, if a default would hide it, as with systemd: a file in
/// `/run`. What was asked for at either path decides.
pub(super) async fn layer(isolation: &Isolation, places: &Places) -> Option<Layer> {
    // At the level `namespaces` the view gets a file of its own.
    let has_none = matches!(isolation.level(), Level::Landlock | Level::Bwrap);
    if !has_none || isolation.network() != Network::Host || isolation.has_root_dir() {
        return None;
    }
    let (isolation, places) = (isolation.clone(), places.clone());
    let find = move || behind(Path::new(stage::NAMES_FILE), &isolation, &places);
    file_calls(find).await.ok().flatten()
}

/// Returns the layer for the file to which `link` leads. Makes calls on the paths, which may block.
fn behind(link: &Path, isolation: &Isolation, places: &Places) -> Option<Layer> {
    let target = fs::canonicalize(link).ok()?;
    if target == link || !fs::metadata(&target).is_ok_and(|file| file.is_file()) {
        return None;
    }
    let layers = isolation.all_layers(places);
    let decided = top(layers.iter().map(Layer::placed), link);
    let is_to_hide = |layer: &&Layer| layer.kind == Kind::Hidden;
    let to_hide = layers.iter().filter(is_to_hide);
    let to_hide: Vec<_> = to_hide.map(|layer| layer.path.clone()).collect();
    if decided.is_some_and(|layer| layer.rank == Rank::Asked) || stage::is_hidden(link, &to_hide) {
        return None;
    }
    // Another path to the same place decides as that does.
    let real = |layer: &Layer| fs::canonicalize(&layer.path).unwrap_or_else(|_| layer.path.clone());
    let real: Vec<_> = layers.iter().map(real).collect();
    let placed = real.iter().map(PathBuf::as_path).zip(&layers);
    let hiding = top(placed, &target)?;
    let is_hidden = hiding.rank == Rank::Default && !matches!(hiding.kind, Kind::Bind { .. });
    is_hidden.then(|| Layer {
        path: target.clone(),
        kind: Kind::Bind {
            source: target,
            access: Access::Read,
        },
        rank: Rank::Default,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A home directory that is hidden by default, with the file to which a link beside it leads.
    fn place() -> (tempfile::TempDir, Places) {
        // Not in the system's directory for temporary files, which is hidden by itself.
        let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        fs::create_dir(root.join("home")).unwrap();
        fs::write(root.join("home/names"), "nameserver 127.0.0.53\n").unwrap();
        std::os::unix::fs::symlink("home/names", root.join("link")).unwrap();
        let places = Places {
            work_dir: "/work".into(),
            home: Some(root.join("home")),
            temporary: "/tmp".into(),
            ..Places::default()
        };
        (directory, places)
    }

    #[test]
    fn the_file_behind_a_link_is_shown_and_nothing_else() {
        let (directory, places) = place();
        let root = fs::canonicalize(directory.path()).unwrap();
        let target = root.join("home/names");
        let shown = |isolation: &Isolation, link: &str| {
            behind(&root.join(link), isolation, &places).map(|layer| (layer.path, layer.kind))
        };
        let open = || {
            Isolation::builder()
                .level(Level::Landlock)
                .network(Network::Host)
        };
        let plain = open().build().unwrap();
        let read = Kind::Bind {
            source: target.clone(),
            access: Access::Read,
        };
        assert_eq!(shown(&plain, "link"), Some((target.clone(), read)));
        // It is no link, leads nowhere, or to a directory.
        assert_eq!(shown(&plain, "home/names"), None);
        for (name, to) in [("nowhere", "home/none"), ("directory", "home")] {
            std::os::unix::fs::symlink(to, root.join(name)).unwrap();
            assert_eq!(shown(&plain, name), None, "{name}");
        }
        // What was asked for decides.
        std::os::unix::fs::symlink("home", root.join("alias")).unwrap();
        let asked = ["link", "home", "alias", "alias/names"].map(|path| root.join(path));
        for path in asked.into_iter().chain([target]) {
            let hidden = open().hide(&path).build().unwrap();
            assert_eq!(shown(&hidden, "link"), None, "{}", path.display());
        }
        // So does a scratch directory at another path to it.
        let scratch = open().level(Level::Bwrap).scratch(root.join("alias"));
        let scratch = scratch.build().unwrap();
        assert_eq!(shown(&scratch, "link"), None);
        // What is visible needs no rule.
        fs::write(root.join("beside"), "").unwrap();
        std::os::unix::fs::symlink("beside", root.join("visible")).unwrap();
        assert_eq!(shown(&plain, "visible"), None);
    }
}
