//! `schedule/postgres-backup` against a real PostgreSQL server.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::postgres_server::{PASSWORD, PostgresServer, checked};
use super::run::{Finished, Run};

#[test]
fn a_backup_is_verified_and_kept_and_the_oldest_go() {
    let database = Database::create("shop");
    database.sql(
        "CREATE TABLE orders (id bigint PRIMARY KEY, placed timestamptz, total numeric, note text, photo bytea);
         INSERT INTO orders SELECT g, now() - g * interval '1 hour', g / 7.0, repeat('é', g % 9), decode('00ff', 'hex')
         FROM generate_series(1, 2000) AS g;
         CREATE SCHEMA \"we ird\";
         CREATE TABLE \"we ird\".\"it's\" (\"row_\" json);
         INSERT INTO \"we ird\".\"it's\" VALUES ('{\"a\": [1, null]}'), (NULL);
         CREATE TABLE nothing ()",
    );
    for old in ["shop-20200101T000000Z.dump", "shop-20210101T000000Z.dump", "shop-20220101T000000Z.dump"] {
        database.write(old);
    }
    for other in ["shop-web-20200101T000000Z.dump", "shop-20200101T000000Z.dump.gpg", "shop-notes.dump"] {
        database.write(other);
    }
    let run = database.backup().param("keep", 2).finish();

    let outputs = run.succeeded();
    assert_eq!(outputs["tables"], 3);
    assert_eq!(outputs["removed"].as_array().map(Vec::len), Some(2), "{outputs}");
    let file = outputs["file"].as_str().expect("a path");
    assert_eq!(outputs["bytes"], fs::metadata(file).expect("the dump").len());
    let name = Path::new(file).file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    assert_eq!(
        database.files(),
        [
            "shop-20200101T000000Z.dump.gpg",
            "shop-20220101T000000Z.dump",
            &name,
            "shop-notes.dump",
            "shop-web-20200101T000000Z.dump"
        ]
    );
    database.left_no_scratch(&run);

    // The proof of the pudding: what was kept can be restored by hand.
    let again = Database::create("shop_again");
    checked(PostgresServer::shared().client("pg_restore").args(["--dbname", "shop_again", file]));
    assert_eq!(again.sql("SELECT count(*), sum(id), max(note) FROM orders"), "2000|2001000|éééééééé");
}

#[test]
fn the_password_is_written_nowhere() {
    let database = Database::create("secretive");
    let run = database.backup().finish();

    run.succeeded();
    assert!(!run.left_behind(PASSWORD), "the password stands in what the run stored or printed");
}

#[test]
fn a_wrong_password_fails_before_anything_is_written() {
    let database = Database::create("locked");
    let run = database.backup().env("BACKUP_PASSWORD", "guessed").finish();

    let error = run.failed();
    assert_eq!(error["step"], "ready");
    assert!(error["data"]["stderr"].to_string().contains("password authentication failed"), "{error}");
    assert!(database.files().is_empty());
}

#[test]
fn a_dump_that_cannot_be_restored_is_not_kept() {
    let database = Database::create("unrestorable");
    database.write("unrestorable-20200101T000000Z.dump");
    // A check that looks at another table is accepted today, and stops the restore, which fills tables one by one.
    database.sql(
        "CREATE TABLE z_limits (top int); INSERT INTO z_limits VALUES (10);
         CREATE FUNCTION small(n int) RETURNS bool LANGUAGE sql AS 'SELECT n <= (SELECT max(top) FROM public.z_limits)';
         CREATE TABLE amounts (n int CHECK (coalesce(small(n), false))); INSERT INTO amounts VALUES (3)",
    );
    let run = database.backup().param("keep", 1).finish();

    assert_eq!(run.failed()["step"], "verify/restore");
    assert_eq!(
        database.files(),
        ["unrestorable-20200101T000000Z.dump"],
        "the last good dump stays, and nothing half done"
    );
    database.left_no_scratch(&run);
}

#[test]
fn a_dump_that_restores_to_something_else_is_not_kept() {
    let database = Database::create("unlike");
    database.sql(
        "CREATE FUNCTION here() RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT current_database()::text';
         CREATE TABLE places (id int, name text GENERATED ALWAYS AS (here()) STORED); INSERT INTO places VALUES (1)",
    );
    let run = database.backup().finish();

    let error = run.failed();
    assert_eq!(error["step"], "verify/compare");
    assert!(run.log("verify/compare").contains("< public.places 1 "), "{run}");
    assert!(database.files().is_empty());
    database.left_no_scratch(&run);
}

#[test]
fn a_folder_that_is_missing_is_said_so() {
    let database = Database::create("homeless");
    let run = database.backup_into(Path::new("/no/such/folder")).finish();

    assert!(run.failed()["data"]["stderr"].to_string().contains("/no/such/folder is not a folder"), "{run}");
}

/// A database on the one server that these tests share, and a folder for its dumps.
struct Database {
    name: &'static str,
    dumps: TempDir,
}

impl Database {
    fn create(name: &'static str) -> Self {
        let database = Self { name, dumps: tempfile::tempdir().expect("a temporary folder") };
        PostgresServer::shared().create(name);
        database
    }

    fn backup(&self) -> Run {
        self.backup_into(self.dumps.path())
    }

    fn backup_into(&self, folder: &Path) -> Run {
        Run::of("schedule/postgres-backup")
            .param("database", self.name)
            .param("host", "127.0.0.1")
            .param("port", PostgresServer::shared().port)
            .param("password", "env:BACKUP_PASSWORD")
            .param("directory", folder.display().to_string())
            .env("BACKUP_PASSWORD", PASSWORD)
    }

    fn sql(&self, text: &str) -> String {
        PostgresServer::shared().sql(self.name, text)
    }

    fn write(&self, dump: &str) {
        fs::write(self.dumps.path().join(dump), "an old dump").expect("a file");
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dumps.path()).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    /// Asserts that the database into which the run restored is gone.
    #[track_caller]
    fn left_no_scratch(&self, run: &Finished) {
        let left = format!("SELECT count(*) FROM pg_database WHERE datname = 'lockstep_verify_{}'", run.id());
        assert_eq!(self.sql(&left), "0", "{run}");
    }
}
