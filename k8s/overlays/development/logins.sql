-- The login of the server; roles.sql has made the role that says what it may.
CREATE ROLE onya_serve_1 LOGIN PASSWORD 'development' IN ROLE onya_serve;
