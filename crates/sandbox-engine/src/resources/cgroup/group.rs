//! The control group of one run.

use std::sync::Arc;

use super::super::description::Limit;
use super::super::error::LimitError;
use super::directories::Directories;
use super::find::Parent;
use super::{Held, abandoned};

/// A control group. Removed when this is dropped, or when the last process in it has ended.
#[derive(Debug)]
pub(in super::super) struct Group {
    held: Arc<Held>,
    directories: Directories,
}

impl Group {
    /// Makes a group with these limits.
    pub(super) fn make(
        held: &Arc<Held>,
        settings: &[(&Parent, Limit, u64)],
    ) -> Result<Self, LimitError> {
        held.add()?;
        // From here on its destructor removes what there is.
        let mut group = Self {
            held: Arc::clone(held),
            directories: Directories::default(),
        };
        let name = abandoned::name();
        for (parent, limit, value) in settings {
            let set = group.directories.add(parent, &name, *limit, *value);
            set.map_err(|error| LimitError::os(*limit, error))?;
        }
        Ok(group)
    }

    pub(in super::super) fn directories(&self) -> &Directories {
        &self.directories
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.held
            .remove(std::mem::take(&mut self.directories).into_paths());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LIMITED_RUNS;

    #[test]
    fn groups_are_bounded() {
        let held = Arc::<Held>::default();
        for _ in 0..LIMITED_RUNS {
            held.add().unwrap();
        }
        let refused = Group::make(&held, &[]).unwrap_err();
        assert!(matches!(refused, LimitError::TooMany), "{refused}");
        held.remove(Vec::new());
        drop(Group::make(&held, &[]).unwrap());
        drop(Group::make(&held, &[]).unwrap());
    }
}
