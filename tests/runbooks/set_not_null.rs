//! `change/set-not-null` against a real PostgreSQL server.

use super::postgres_server::{PASSWORD, PostgresServer};
use super::run::Run;

#[test]
fn old_rows_get_a_value_and_new_ones_must_have_one() {
    let database = Database::with_orders("filled");
    let run = database.change("channel", "it's the web").param("batch", 200).finish();

    assert_eq!(run.succeeded()["changed"], true);
    let counts = "SELECT count(*), count(channel), count(*) FILTER (WHERE channel = 'shop') FROM orders";
    assert_eq!(database.sql(counts), "999|999|666", "what had a value keeps it");
    assert_eq!(database.sql("SELECT count(*) FROM orders WHERE channel = 'it''s the web'"), "333");
    assert_eq!(database.column(), "NO|'it''s the web'::text");
    assert_eq!(database.constraints(), "0", "what helped is gone");
    assert_eq!(database.sql("INSERT INTO orders (id) VALUES (1000) RETURNING channel"), "it's the web");
    assert!(!run.left_behind(PASSWORD), "the password stands in what the run stored or printed");

    let again = database.change("channel", "other").finish();
    assert_eq!(again.succeeded()["changed"], false);
}

#[test]
fn what_fails_leaves_the_table_as_it_was() {
    let database = Database::with_orders("undone");
    // Old rows cannot be changed, which shows when the constraint is to be proven.
    database.sql(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER kept BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION keep()",
    );
    let before = database.column();
    let run = database.change("channel", "web").finish();

    let error = run.failed();
    assert_eq!(error["step"], "proven", "{error}");
    for step in ["preset", "constraint"] {
        assert_eq!(run.step(step)["status"], "undone");
    }
    assert_eq!((database.column(), database.constraints()), (before, "0".to_owned()));
    assert_eq!(database.sql("SELECT count(*) - count(channel) FROM orders"), "333");
}

#[test]
fn a_column_that_is_not_there_is_said_so() {
    let database = Database::with_orders("missing");
    database.change("canal", "web").finish().failed_saying("missing has no column public.orders.canal");
}

/// A database with a table of 999 orders, every third without a channel.
struct Database(&'static str);

impl Database {
    fn with_orders(name: &'static str) -> Self {
        PostgresServer::shared().create(name);
        let database = Self(name);
        database.sql(
            "CREATE TABLE orders (id bigint PRIMARY KEY, channel text);
             INSERT INTO orders SELECT g, CASE WHEN g % 3 > 0 THEN 'shop' END FROM generate_series(1, 999) AS g",
        );
        database
    }

    fn change(&self, column: &str, value: &str) -> Run {
        Run::of("change/set-not-null")
            .param("database", self.0)
            .param("port", PostgresServer::shared().port)
            .param("password", "env:OWNER_PASSWORD")
            .param("table", "orders")
            .param("column", column)
            .param("value", value)
            .env("OWNER_PASSWORD", PASSWORD)
    }

    #[track_caller]
    fn sql(&self, text: &str) -> String {
        PostgresServer::shared().sql(self.0, text)
    }

    /// Whether the column may be NULL, and its default.
    fn column(&self) -> String {
        self.sql("SELECT is_nullable, column_default FROM information_schema.columns WHERE column_name = 'channel'")
    }

    fn constraints(&self) -> String {
        self.sql("SELECT count(*) FROM pg_constraint WHERE conname = 'lockstep_set_not_null'")
    }
}
