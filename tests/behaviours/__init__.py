"""What must hold on every database: each test runs on SQLite and on PostgreSQL, through the fixture `database`."""
