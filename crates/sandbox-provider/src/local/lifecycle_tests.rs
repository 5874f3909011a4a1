//! Changes of one sandbox that meet.

use super::*;
use crate::Local;

#[tokio::test]
async fn one_that_is_deleted_before_it_is_made_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let local = match Local::builder(&state).open().await {
        Ok(local) => local,
        Err(Error::Unsupported { what }) => return println!("skipped: {what}"),
        Err(error) => panic!("{error:?}"),
    };
    let entry = local.inner.reserve(Spec::default()).unwrap();
    local.inner.delete(&entry).await.unwrap();
    let created = local.inner.complete(&entry, None).await;
    assert!(
        matches!(created, Err(Error::NotFound { .. })),
        "{created:?}"
    );
    for name in ["data", "records", "run"] {
        let left = std::fs::read_dir(state.join(name)).unwrap().count();
        assert_eq!(left, 0, "{name}");
    }
}
