//! What a user's commands may do to their shell.

use super::{Fixture, SHELLS, exited};

#[tokio::test]
async fn state_stays() {
    for shell in SHELLS {
        let f = Fixture::new(shell).await;
        assert_eq!(
            f.ok("mkdir d; cd d; X=1; export Y=2; f() { echo \"f:$1\"; }; umask 027")
                .await,
            ""
        );
        let expect = format!("{} 1 2 f:3\n0027\n", f.path("d").display());
        let got = f
            .ok("echo \"$(pwd) $X $(sh -c 'echo $Y') $(f 3)\"; umask")
            .await;
        assert_eq!(got.replace("\n027\n", "\n0027\n"), expect, "{shell}");
        f.end().await;
    }
}

#[tokio::test]
async fn statuses_and_channels_are_told() {
    for shell in SHELLS {
        let f = Fixture::new(shell).await;
        let did = f.run("echo out; echo err >&2; (exit 3)").await;
        assert_eq!(
            (did.stdout.as_str(), did.stderr.as_str()),
            ("out\n", "err\n"),
            "{shell}"
        );
        assert_eq!(did.termination, exited(3), "{shell}");
        assert_eq!(f.ok("echo $?").await, "3\n", "{shell}");
        assert_eq!(f.run("false").await.termination, exited(1), "{shell}");
        assert_eq!(f.ok("echo $?").await, "1\n", "{shell}");
        assert_eq!(f.ok("echo $?").await, "0\n", "{shell}");
        f.end().await;
    }
}
