-- The bot's own role in its database: it may create and use its own tables there, and nothing else.
-- Run it as the database's administrator, in the bot's database, with the role's password in presence.password:
--
--     PGOPTIONS="-c presence.password=..." psql --dbname=presence --file=deploy/database-role.sql
--
-- It may be run again: it sets the password, and hands over what the administrator's role created before.

SET client_min_messages = warning;

DO $$
DECLARE
    owned record;
BEGIN
    IF coalesce(current_setting('presence.password', true), '') = '' THEN
        RAISE EXCEPTION 'presence.password is not set';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'presence_app') THEN
        CREATE ROLE presence_app;
    END IF;
    EXECUTE format('ALTER ROLE presence_app LOGIN PASSWORD %L', current_setting('presence.password'));
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO presence_app', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    GRANT USAGE, CREATE ON SCHEMA public TO presence_app;
    GRANT presence_app TO CURRENT_USER;
    FOR owned IN
        SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind,
               oid::regclass::text AS name
        FROM pg_class AS relation
        WHERE relnamespace = 'public'::regnamespace AND relowner = CURRENT_USER::regrole AND relkind IN ('r', 'p', 'v', 'S')
          AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid
                          AND deptype IN ('a', 'i', 'e') AND relkind = 'S')
        UNION ALL
        SELECT 'ROUTINE', oid::regprocedure::text
        FROM pg_proc AS routine
        WHERE pronamespace = 'public'::regnamespace AND proowner = CURRENT_USER::regrole
          AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = routine.oid AND deptype = 'e')
        UNION ALL
        SELECT 'TYPE', oid::regtype::text
        FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typowner = CURRENT_USER::regrole AND typtype IN ('e', 'd')
           OR typnamespace = 'public'::regnamespace AND typowner = CURRENT_USER::regrole AND typtype = 'c'
              AND EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO presence_app', owned.kind, owned.name);
    END LOOP;
    IF NOT has_schema_privilege('presence_app', 'public', 'CREATE') THEN
        RAISE EXCEPTION 'run this as the owner of the database %', current_database();
    END IF;
END
$$;
