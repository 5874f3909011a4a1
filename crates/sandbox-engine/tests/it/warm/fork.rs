//! How forks of a warm interpreter of Python differ from each other, and when a program starts cold instead.

use std::path::Path;

use sandbox_engine::code::{Language, Program};
use sandbox_engine::{Engine, EngineBuilder, Environment, Outcome, RunOptions, Termination};

use super::{PARENT, Pair, drawing, is_forked, program, split, until_forked};
use crate::guard::{eventually, text};

fn python(code: &str) -> Program {
    program(Language::Python, code)
}

async fn run(engine: &Engine, code: &str) -> Outcome {
    super::run(engine, python(code)).await
}

impl Pair {
    /// What a program prints, which is the same cold and warm.
    async fn prints(&self, code: &str) -> String {
        let expect = self.see(&self.cold, python(code)).await;
        let found = self.see(&self.warm, python(code)).await;
        assert_eq!(found, expect, "{code}");
        let [stdout, _] = found.channels;
        stdout
    }
}

/// A pair of which the warm one has a server.
async fn warmed() -> Pair {
    let pair = Pair::new();
    until_forked(&pair.warm, "").await;
    pair
}

#[tokio::test]
async fn forked_programs_differ_where_started_ones_do() {
    let pair = warmed().await;
    for code in [
        "import random; print(random.random())",
        "import uuid; print(uuid.uuid4())",
        "import os; print(os.urandom(8))",
        "import tempfile; print(tempfile.mktemp())",
        "import secrets; print(secrets.token_hex())",
        "import ssl; print(ssl.RAND_bytes(8))",
        "import os; print(os.getpid())",
        "print(hash('a'))",
        "print(list({'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o'}))",
        "print(list(set('abcdefghijklmno')))",
        "print(f\"{list(frozenset('abcdefghijklmno'))}\")",
    ] {
        let (one, other) = (run(&pair.warm, code).await, run(&pair.warm, code).await);
        assert_ne!(text(&one), text(&other), "{code}");
    }
    pair.end().await;
}

#[tokio::test]
async fn a_seed_that_is_set_is_the_same_for_all() {
    let seeded = |builder: EngineBuilder| {
        let mut environment = Environment::of_this_process();
        environment.set("PYTHONHASHSEED", "7");
        builder.environment(environment)
    };
    let pair = Pair::with(seeded);
    until_forked(&pair.warm, "").await;
    let code = format!("print(hash('a'), list(set('abcdefgh'))){PARENT}");
    let (cold, warm) = (run(&pair.cold, &code).await, run(&pair.warm, &code).await);
    assert_eq!(text(&cold).lines().next(), text(&warm).lines().next());
    assert!(is_forked(&warm));
    pair.end().await;
}

#[tokio::test]
async fn a_forked_program_leads_a_group_and_ends_with_all_its_own() {
    let pair = warmed().await;
    let code = "import os; print(os.getpgid(0) == os.getpid(), os.getsid(0))";
    let said = pair.prints(code).await;
    assert!(said.starts_with("True "), "{said}");

    let sleep = crate::guard::unique_sleep();
    let code = format!(
        "import subprocess, time\nprint('x')\n\
         subprocess.Popen(['setsid', 'sleep', '{sleep}'], start_new_session=True)\ntime.sleep(60)"
    );
    crate::guard::within_a_limit(async |limit| {
        let options = RunOptions {
            timeout: Some(limit),
            ..RunOptions::default()
        };
        let outcome = pair.warm.run_code(python(&code), options).await.unwrap();
        assert!(matches!(outcome.termination, Termination::TimedOut { .. }));
        (text(&outcome) == "x\n").then_some(())
    })
    .await;
    eventually("its child has ended", || {
        crate::guard::pid_of(&sleep).is_none()
    })
    .await;
    assert!(is_forked(&run(&pair.warm, PARENT).await));
    pair.end().await;
}

#[tokio::test]
async fn whatever_is_asked_for_that_a_server_has_not_starts_cold() {
    let pair = warmed().await;
    let options = |env: &[(&str, &str)], cwd: Option<&str>| RunOptions {
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        cwd: cwd.map(Into::into),
        ..split()
    };
    for options in [
        options(&[("PYTHONHASHSEED", "5")], None),
        options(&[("TZ", "Asia/Tokyo")], None),
        options(&[], Some("/")),
    ] {
        let outcome = pair.warm.run_code(python(PARENT), options).await.unwrap();
        assert!(!is_forked(&outcome), "{}", text(&outcome));
    }
    let outcome = run(&pair.warm, &format!("import os; os.getppid(){PARENT}")).await;
    assert!(!is_forked(&outcome));
    // Another environment is another server.
    let set = |environment: &mut Environment| environment.set_checked("SANDBOX_TEST", "1");
    pair.warm.change_environment(set).unwrap();
    let code = format!("import os; print(os.environ['SANDBOX_TEST']){PARENT}");
    assert!(!is_forked(&run(&pair.warm, &code).await));
    until_forked(&pair.warm, "import os; assert os.environ['SANDBOX_TEST']").await;
    pair.end().await;
}

#[tokio::test]
async fn an_engine_that_may_not_keeps_nothing() {
    let strange = |builder: EngineBuilder| {
        let mut environment = Environment::of_this_process();
        environment.set("PYTHONPATH", "/nonexistent");
        builder.environment(environment)
    };
    let (pair, strange) = (Pair::new(), Pair::with(strange));
    for engine in [&pair.cold, &strange.warm] {
        for _ in 0..3 {
            assert!(!is_forked(&run(engine, PARENT).await));
        }
    }
    pair.end().await;
    strange.end().await;
}

/// Each change is made when there is a server, and seen by the next program.
#[tokio::test]
async fn a_changed_world_is_seen_by_the_next_program() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path();
    let zone = path.join("zone");
    std::fs::write(&zone, time_zone(3600, "AAA")).unwrap();
    let mut environment = Environment::of_this_process();
    environment.set("HOME", path);
    environment.set("TZ", format!(":{}", zone.display()));
    let pair = Pair::with(|builder| builder.environment(environment.clone()));
    let said = pair
        .prints("import site; print(site.getusersitepackages())")
        .await;
    let site = Path::new(said.trim());
    // A virtual environment has no directory of its user's.
    let has_site = pair
        .prints("import site; print(site.ENABLE_USER_SITE)")
        .await
        == "True\n";

    let place = "import time; print(time.tzname[0], time.localtime(0)[3])";
    let sees = async |before: &str, change: &dyn Fn(), code: &str, after: &str| {
        until_forked(&pair.warm, "").await;
        assert_eq!(pair.prints(code).await, before, "{code}");
        until_forked(&pair.warm, "").await;
        change();
        assert_eq!(pair.prints(code).await, after, "{code}");
    };
    let rewrite = |path: &Path, text: &[u8]| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let zone_changes = || rewrite(&zone, &time_zone(-7200, "BBB"));
    sees("AAA 1\n", &zone_changes, place, "BBB 22\n").await;
    let code = "import os; print(os.path.exists('beside.py'))";
    let replaces = || {
        std::fs::remove_dir_all(pair.path()).unwrap();
        std::fs::create_dir(pair.path()).unwrap();
    };
    sees("True\n", &replaces, code, "False\n").await;
    let code = "import importlib.util; print(importlib.util.find_spec('installed') is not None)";
    if has_site {
        let installs = || rewrite(&site.join("installed.py"), b"");
        sees("False\n", &installs, code, "True\n").await;
        std::fs::remove_file(site.join("installed.py")).unwrap();
        let elsewhere = path.join("elsewhere");
        rewrite(&elsewhere.join("installed.py"), b"");
        let line = elsewhere.display().to_string();
        let links = || rewrite(&site.join("elsewhere.pth"), line.as_bytes());
        sees("False\n", &links, code, "True\n").await;
        let edits = || {
            rewrite(
                &site.join("elsewhere.pth"),
                b"import builtins; builtins.edited = 1\n",
            )
        };
        let code = "import builtins; print(hasattr(builtins, 'edited'))";
        sees("False\n", &edits, code, "True\n").await;
    }
    // Of this thread, from which the engine starts processes.
    until_forked(&pair.warm, "").await;
    rustix::process::nice(1).unwrap();
    pair.prints("import os; print(os.getpriority(0, 0))").await;
    if has_site {
        until_forked(&pair.warm, "").await;
        rewrite(&site.join("usercustomize.py"), b"print('customized')\n");
        assert_eq!(pair.prints("print(1)").await, "customized\n1\n");
    }
    pair.end().await;
}

#[tokio::test]
async fn a_program_that_writes_a_file_leaves_the_next_one_warm() {
    let pair = warmed().await;
    for n in 0..3 {
        let code = format!("open('left{n}.txt', 'w').write('a'){PARENT}");
        assert!(is_forked(&run(&pair.warm, &code).await), "{n}");
        assert!(pair.path().join(format!("left{n}.txt")).exists());
    }
    pair.end().await;
}

/// A file of tzfile(5) with one offset from UTC, in seconds.
fn time_zone(offset: i32, name: &str) -> Vec<u8> {
    let mut file = b"TZif".to_vec();
    file.extend([0; 16]);
    // Indicators of UTC and of standard time, leap seconds, transitions, types, characters.
    for count in [0u32, 0, 0, 0, 1, 4] {
        file.extend(count.to_be_bytes());
    }
    file.extend(offset.to_be_bytes());
    file.extend([0, 0]);
    file.extend(name.as_bytes());
    file.push(0);
    file
}

#[tokio::test]
async fn what_lies_in_the_place_of_something_imported_is_seen() {
    if std::env::var_os("SANDBOX_TEST_PYTHON").is_none() {
        println!("passed over: SANDBOX_TEST_PYTHON names no interpreter with matplotlib");
        return;
    }
    let pair = drawing();
    for like in ["", "import numpy", "import matplotlib.pyplot"] {
        until_forked(&pair.warm, like).await;
    }
    let code = "import numpy as np; print(np.random.rand())";
    let (one, other) = (run(&pair.warm, code).await, run(&pair.warm, code).await);
    assert_ne!(text(&one), text(&other));
    for (name, content, code) in [
        (
            "matplotlibrc",
            "lines.linewidth: 7\n",
            "import matplotlib.pyplot as p; print(p.rcParams['lines.linewidth'])",
        ),
        (
            "numpy.py",
            "print('mine')\n",
            "import numpy; print(numpy.__name__)",
        ),
        ("json.py", "print('mine')\n", "import matplotlib.pyplot"),
    ] {
        let path = pair.path().join(name);
        let said = async |engine: &Engine| {
            std::fs::write(&path, content).unwrap();
            pair.see(engine, python(code)).await
        };
        let (expect, found) = (said(&pair.cold).await, said(&pair.warm).await);
        assert_eq!(found, expect, "{code}");
        let [stdout, _] = &found.channels;
        assert!(stdout.contains("mine") || stdout.contains('7'), "{stdout}");
    }
    for like in ["", "import numpy", "import matplotlib.pyplot"] {
        until_forked(&pair.warm, like).await;
    }
    pair.end().await;
}
