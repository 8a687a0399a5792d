"""PostgreSQL: the embedded server, connections, migrations and named queries. Nothing else talks to psycopg's edges."""
