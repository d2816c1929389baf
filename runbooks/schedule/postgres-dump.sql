-- Dumps the database into $INCOMING/dump and prints its fingerprint, both as of one instant: pg_dump joins the snapshot of
-- this transaction, so that what other sessions write meanwhile is in neither.
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
-- A dump that failed is removed at once, since psql does not say how a command ended.
\! pg_dump --format=custom --snapshot="$SNAPSHOT" --file="$INCOMING/dump" || rm -f -- "$INCOMING/dump"
\ir postgres-fingerprint.sql
COMMIT;
