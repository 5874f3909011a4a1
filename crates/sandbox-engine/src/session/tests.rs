//! What no process can be made to do.

use tokio::time::Instant;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_deletion_does_not_wait_without_end() {
    let engine = Engine::builder().build().unwrap();
    let (requests, _received) = mpsc::channel(REQUESTS);
    let shared = Shared::new(&engine, "stuck", engine.shell().clone(), requests);
    let shared = Arc::new(shared);
    // It has no task, so nothing ever ends it.
    Reserved::take(engine.clone(), "stuck")
        .unwrap()
        .fill(Session { shared });
    let began = Instant::now();
    assert!(engine.delete_session("stuck").await);
    assert_eq!(began.elapsed().as_secs(), DELETE.as_secs());
    assert!(engine.session("stuck").is_none());
}
