//! `change/deploy-symlink` under a real server that follows the link with each request.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Server, serve_files};
use super::run::{Finished, Run};

#[test]
fn releases_follow_each_other_and_the_oldest_go() {
    let app = App::new();
    for release in ["1.0", "1.1", "1.2", "1.3"] {
        app.deploy(release, Release::Well).succeeded();
        assert_eq!(app.current(), format!("releases/{release}"));
    }
    let run = app.run("1.4").param("archive", app.archive("1.4", Release::Well)).param("keep", 2).finish();

    let outputs = run.succeeded();
    assert_eq!((&outputs["release"], &outputs["previous"]), (&json!("1.4"), &json!("releases/1.3")));
    assert_eq!(outputs["removed"].as_array().map(Vec::len), Some(3), "{outputs}");
    assert_eq!(app.releases(), ["1.3", "1.4"]);
    app.is_tidy();
}

#[test]
fn a_release_that_does_not_get_well_is_rolled_back() {
    let app = App::new();
    app.deploy("1.0", Release::Well).succeeded();
    let reloads = app.folder.path().join("reloads");
    let run = app
        .run("1.1")
        .param("archive", app.archive("1.1", Release::Sick))
        .param("reload", json!(["sh", "-c", "readlink \"$1/current\" >>\"$2\"", "reload", app.path(), reloads]))
        .finish();

    let error = run.failed();
    assert_eq!(error["kind"], "rolled_back");
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.starts_with("release 1.1 did not get well") && message.ends_with("back to releases/1.0"),
        "{message}"
    );
    assert_eq!(app.current(), "releases/1.0");
    assert_eq!(fs::read_to_string(reloads).expect("it was reloaded"), "releases/1.1\nreleases/1.0\n");
    app.is_tidy();
}

#[test]
fn a_first_release_that_does_not_get_well_leaves_none() {
    let app = App::new();
    let run = app.deploy("1.0", Release::Sick);

    run.failed_saying("there was none before it");
    assert!(!app.path().join("current").exists());
    app.is_tidy();
}

#[test]
fn a_release_that_cannot_be_reloaded_is_rolled_back() {
    let app = App::new();
    app.deploy("1.0", Release::Well).succeeded();
    let run =
        app.run("1.1").param("archive", app.archive("1.1", Release::Well)).param("reload", json!(["false"])).finish();

    assert_eq!(run.failed()["kind"], "rolled_back");
    assert_eq!(app.current(), "releases/1.0");
}

#[test]
fn a_release_that_is_there_can_be_deployed_again_without_an_archive() {
    let app = App::new();
    app.deploy("1.0", Release::Well).succeeded();
    app.deploy("1.1", Release::Well).succeeded();
    app.run("1.0").finish().succeeded();
    assert_eq!(app.current(), "releases/1.0");

    let run = app.run("0.9").finish();
    assert!(stderr(&run).contains("there is no release 0.9"), "{run}");
    assert_eq!(app.current(), "releases/1.0");
}

#[test]
fn an_archive_that_is_not_what_was_asked_for_changes_nothing() {
    let app = App::new();
    app.deploy("1.0", Release::Well).succeeded();

    let wrong =
        app.run("1.1").param("archive", app.archive("1.1", Release::Well)).param("sha256", "0".repeat(64)).finish();
    assert!(stderr(&wrong).contains("which is not what was asked for"), "{wrong}");

    let broken = app.folder.path().join("broken.tar.gz");
    fs::write(&broken, "this is no archive").expect("a file");
    app.run("1.1").param("archive", broken.display().to_string()).finish().failed();

    let taken = app.run("1.0").param("archive", app.archive("1.1", Release::Well)).finish();
    assert!(stderr(&taken).contains("was not made from this archive"), "{taken}");

    assert_eq!((app.current(), app.releases()), ("releases/1.0".into(), vec!["1.0".to_owned()]));
    app.is_tidy();
}

#[test]
fn of_two_deployments_at_once_the_second_is_refused() {
    let app = App::new();
    symlink("the-other-run", app.path().join(".deploying")).expect("a link");
    let run = app.deploy("1.0", Release::Well);

    assert!(stderr(&run).contains("run the-other-run is deploying"), "{run}");
    assert!(app.releases().is_empty());
    let holder = fs::read_link(app.path().join(".deploying")).expect("the claim of the other run is still there");
    assert_eq!(holder.to_str(), Some("the-other-run"));
}

#[test]
fn what_is_current_without_being_a_link_is_left_alone() {
    let app = App::new();
    fs::create_dir(app.path().join("current")).expect("a folder");
    let run = app.deploy("1.0", Release::Well);

    assert!(stderr(&run).contains("is not a link"), "{run}");
    assert!(app.path().join("current").is_dir());
    assert!(app.releases().is_empty());
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    let app = App::new();
    for name in ["..", ".hidden", "a/b", "-rf", "a b", ""] {
        let run = app.run(name).finish();
        run.refused("release");
    }
    assert!(app.releases().is_empty());
}

/// Whether a release answers its health check well.
#[derive(Clone, Copy)]
enum Release {
    Well,
    Sick,
}

/// An application's folder, and the server that answers with what `current` leads to.
struct App {
    folder: TempDir,
    port: u16,
    _server: Server,
}

impl App {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("app/releases")).expect("a folder");
        let (server, port) = serve_files(&folder.path().join("app/current"));
        Self { folder, port, _server: server }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    fn run(&self, release: &str) -> Run {
        Run::of("change/deploy-symlink")
            .param("app", self.path().display().to_string())
            .param("release", release)
            .param("url", format!("http://127.0.0.1:{}/health", self.port))
    }

    fn deploy(&self, release: &str, content: Release) -> Finished {
        self.run(release).param("archive", self.archive(release, content)).finish()
    }

    /// An archive with or without the file that the health check asks for.
    fn archive(&self, release: &str, content: Release) -> String {
        let source = self.folder.path().join(format!("source-{release}"));
        fs::create_dir_all(&source).expect("a folder");
        fs::write(source.join("version"), release).expect("a file");
        if let Release::Well = content {
            fs::write(source.join("health"), "well").expect("a file");
        }
        let archive = self.folder.path().join(format!("{release}.tar.gz"));
        let packed = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&source).arg(".").status();
        assert!(packed.is_ok_and(|status| status.success()), "tar packs {release}");
        archive.display().to_string()
    }

    fn current(&self) -> String {
        let link = fs::read_link(self.path().join("current")).expect("current is a link");
        link.to_str().expect("a name in UTF-8").to_owned()
    }

    fn releases(&self) -> Vec<String> {
        names(&self.path().join("releases"))
    }

    /// Asserts that nothing unfinished is left.
    #[track_caller]
    fn is_tidy(&self) {
        let hidden: Vec<_> = [self.path(), self.path().join("releases")]
            .iter()
            .flat_map(|folder| names(folder))
            .filter(|name| name.starts_with('.'))
            .collect();
        assert!(hidden.is_empty(), "left behind: {hidden:?}");
    }
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

fn stderr(run: &Finished) -> String {
    let data: &Value = &run.failed()["data"];
    data["stderr"].as_str().unwrap_or_default().to_owned()
}
