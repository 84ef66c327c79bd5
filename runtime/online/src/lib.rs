//! The online driver: HTTP requests in, features out.
