-- Prints one line a table: its name, how many rows it has, and a hash of them that does not depend on their order.
-- Everything that changes how a row is written out is fixed, so that two databases can be compared by this text.
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET bytea_output = 'hex';
SET extra_float_digits = 3;
SET search_path = pg_catalog;
-- A policy that hides rows becomes an error, where it would become a backup without them.
SET row_security = off;

SELECT format(
    'SELECT %L, count(*), coalesce(sum(hashtextextended((row_.*)::text, 0)::numeric), 0) FROM ONLY %I.%I AS row_',
    format('%I.%I', nspname, relname), nspname, relname)
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r'
    AND nspname <> 'information_schema'
    AND nspname !~ '^pg_'
    -- What an extension brings is not in a dump; restoring creates the extension anew.
    AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
ORDER BY nspname COLLATE "C", relname COLLATE "C"
\gexec

SELECT 'large objects', count(*) FROM pg_largeobject_metadata;
