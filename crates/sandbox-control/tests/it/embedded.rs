//! A control plane in this process, by the client that other programs use.

use sandbox_control::Embedded;
use sandbox_process::{ErrorKind, SandboxState};

use crate::daemons::Daemons;

#[tokio::test(flavor = "multi_thread")]
async fn a_program_has_sandboxes_without_a_server_of_its_own() {
    let control = Embedded::start(Daemons::new()).await.unwrap();
    let sandbox = control
        .sandboxes()
        .create()
        .name("web")
        .label("k", "v")
        .await
        .unwrap();
    assert_eq!(sandbox.state(), SandboxState::Started);
    let outcome = sandbox.process().exec("echo hi").await.unwrap();
    assert_eq!(outcome.stdout, "hi\n");
    let session = sandbox.process().create_session("s").await.unwrap();
    assert_eq!(session.run("echo in").await.unwrap().stdout, "in\n");
    let again = control.sandboxes().create().name("web").await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    let listed = control.sandboxes().list().label("k", "v").await.unwrap();
    assert_eq!((listed.len(), listed[0].id()), (1, sandbox.id()));
    let none = control.sandboxes().list().label("k", "w").await.unwrap();
    assert!(none.is_empty());

    sandbox.stop().await.unwrap();
    assert_eq!(
        sandbox.refresh().await.unwrap().state,
        SandboxState::Stopped
    );
    assert!(sandbox.process().version().await.is_err());
    sandbox.start().await.unwrap();
    sandbox.process().version().await.unwrap();
    sandbox.delete().await.unwrap();
    let gone = sandbox.refresh().await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);

    let sandboxes = control.sandboxes().clone();
    control.shutdown().await;
    let error = sandboxes.list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
}
