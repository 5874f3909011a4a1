//! The bound on contexts, which is too large to be reached by as many processes.

use super::*;

#[tokio::test]
async fn contexts_have_an_end() {
    let engine = Engine::builder().build().unwrap();
    assert_eq!(engine.context_list().limit, CONTEXTS);
    engine.context_list().limit = 2;
    let make = async |cwd: Option<&str>| {
        let options = ContextOptions {
            cwd: cwd.map(Into::into),
        };
        engine.create_context(Language::Python, options).await
    };
    // Those that are being made count, too, and the default one does not.
    let (a, b, c) = tokio::join!(make(None), make(None), make(None));
    let [a, _b] = [a.unwrap(), b.unwrap()];
    let is_refused = |made| matches!(made, Err(CreateContextError::TooMany { limit: 2 }));
    assert!(is_refused(c));
    assert!(is_refused(make(None).await));
    let first = engine.default_context();
    let execution = first.execute("1", ExecuteOptions::default()).unwrap();
    assert_eq!(execution.ended().await.ending, Ending::Completed);
    assert!(engine.delete_context(a.id()).await);
    // One that cannot start gives its place back.
    for _ in 0..3 {
        let missing = make(Some("/no/such")).await;
        assert!(matches!(missing, Err(CreateContextError::Start(_))));
    }
    make(None).await.unwrap();
    assert!(is_refused(make(None).await));
    engine.shutdown().await;
}
